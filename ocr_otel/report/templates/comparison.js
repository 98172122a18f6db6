// Draws the distributions of several runs' batch times over each other.
const COLOURS = ["--forward", "--slow", "--validation", "--optimizer", "--communication", "--callbacks"];
function distributions() {
  const plot = frame("distributions", 300, 58);
  if (!plot || !data.runs.length) return;
  const from = data.edges[0], to = data.edges[data.edges.length - 1];
  const x = value => plot.left + Math.log(Math.min(Math.max(value, from), to) / from) / Math.log(to / from) * (plot.right - plot.left);
  const high = Math.max(...data.runs.flatMap(run => run.shares)) * 1.08 || 1;
  const y = value => plot.bottom - value / high * (plot.bottom - plot.top);
  valueAxis(plot, ticks(0, high, 4), y, share => `${number(100 * share)} %`);
  let marks = logTicks(from, to);
  if (marks.length < 3) marks = ticks(from, to, Math.max(2, Math.floor(plot.width / 110)));
  for (const tick of marks) {
    svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: plot.top, y2: plot.bottom }, plot.root);
    svg("text", { x: x(tick), y: plot.bottom + 16, "text-anchor": "middle" }, plot.root, duration(tick));
  }
  data.runs.forEach((run, index) => {
    const colour = `var(${COLOURS[index]})`;
    let d = `M${x(from).toFixed(1)} ${plot.bottom}`;
    run.shares.forEach((share, bin) => { d += `V${y(share).toFixed(1)}H${x(data.edges[bin + 1]).toFixed(1)}`; });
    svg("path", { class: "distribution", d: d + `V${plot.bottom}Z`, style: `fill:${colour};fill-opacity:.22;stroke:${colour};stroke-width:1.6` }, plot.root);
    for (const [value, dashes] of [[run.median, "none"], [run.p95, "5 4"]])
      svg("line", { x1: x(value), x2: x(value), y1: plot.top, y2: plot.bottom, style: `stroke:${colour};stroke-width:1.8;stroke-dasharray:${dashes}` }, plot.root);
  });
  const over = svg("rect", { x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top, fill: "transparent" }, plot.root);
  tipped(over, event => {
    const box = over.getBoundingClientRect();
    const bin = Math.max(0, Math.min(data.edges.length - 2, Math.floor((event.clientX - box.left) / box.width * (data.edges.length - 1))));
    return `${duration(data.edges[bin])} to ${duration(data.edges[bin + 1])}\n` + data.runs.map(run => `${run.name}: ${number(100 * run.shares[bin])} %`).join("\n");
  });
  const legend = byId("distributions-legend");
  legend.replaceChildren();
  data.runs.forEach((run, index) => {
    const item = html("li", {}, legend);
    html("i", { class: "dot", style: `background:var(${COLOURS[index]})` }, item);
    item.append(`${run.name}: median ${duration(run.median)}, p95 ${duration(run.p95)}`);
  });
}
drawings.push(distributions);
