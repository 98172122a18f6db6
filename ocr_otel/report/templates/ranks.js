// Draws who came late to which step: a row is a rank, a column a kept step.
const SHADES = 8;
function rankMap() {
  const found = data.ranks;
  if (!found || !byId("ranks")) return;
  const rows = found.rows.length, columns = found.steps.length, height = rows <= 12 ? 20 : rows <= 32 ? 13 : 9;
  const plot = frame("ranks", rows * height + 32, 58);
  const wide = (plot.right - plot.left) / columns, x = column => plot.left + column * wide, y = row => plot.top + row * height;
  const gap = wide > 5 ? 1 : 0;
  const paths = Array.from({ length: SHADES + 1 }, () => "");
  found.cells.forEach((cells, row) => cells.forEach((cell, column) => {
    if (cell === null) return;
    const shade = Math.max(0, Math.min(SHADES, Math.round(SHADES * cell / found.full)));
    paths[shade] += `M${x(column).toFixed(1)} ${y(row)}h${(wide - gap).toFixed(1)}v${height - 1}h${(gap - wide).toFixed(1)}Z`;
  }));
  paths.forEach((d, shade) => { if (d) svg("path", { d, class: shade ? "late" : "on-time", style: shade ? `fill-opacity:${(0.14 + 0.86 * shade / SHADES).toFixed(2)}` : "" }, plot.root); });
  const every = Math.max(1, Math.ceil(14 / height));
  const late = found.rows.indexOf(found.late);
  // The rank that is talked of has its name, and room for it.
  const named = row => row === late || (row % every === 0 && !(late >= 0 && Math.abs(row - late) < every));
  found.rows.forEach((rank, row) => { if (named(row)) svg("text", { x: plot.left - 8, y: y(row) + height / 2 + 4, "text-anchor": "end", class: row === late ? "named" : "" }, plot.root, rows > 12 ? rank : `rank ${rank}`); });
  let free = -Infinity;
  found.steps.forEach(([epoch], column) => {
    if (column && found.steps[column - 1][0] === epoch) return;
    svg("line", { class: "grid", x1: x(column), x2: x(column), y1: plot.top, y2: y(rows) + 5 }, plot.root);
    if (x(column) < free || x(column) + 46 > plot.right + 8) return;
    svg("text", { x: x(column) + 3, y: y(rows) + 16 }, plot.root, `epoch ${epoch}`);
    free = x(column) + 66;
  });
  const over = svg("rect", { class: "over", x: plot.left, y: plot.top, width: plot.right - plot.left, height: rows * height, fill: "transparent" }, plot.root);
  const at = event => {
    const box = over.getBoundingClientRect(), part = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value * count)));
    return [part((event.clientX - box.left) / box.width, columns), part((event.clientY - box.top) / box.height, rows)];
  };
  tipped(over, event => {
    const [column, row] = at(event), [epoch, index, opens] = found.steps[column], cell = found.cells[row][column];
    const said = cell === null ? "not kept" : `${duration(Math.abs(cell) * found.unit)} ${cell < 0 ? "before" : "after"} the median of the others`;
    over.style.cursor = opens < 0 ? "default" : "pointer";
    return `rank ${found.rows[row]}, epoch ${epoch}, batch ${index}\n${said}`;
  });
  over.addEventListener("click", event => { const opens = found.steps[at(event)[0]][2]; if (opens >= 0) openBatch(opens, true); });
  const legend = byId("ranks-legend");
  legend.replaceChildren();
  html("i", { class: "dot on-time" }, html("li", {}, legend)).after("with the others, or before them");
  html("i", { class: "ramp" }, html("li", {}, legend)).after(`later, up to ${duration(found.unit * found.full)} and more`);
}
drawings.push(rankMap);
