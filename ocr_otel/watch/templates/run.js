// The live part of a run's page, and the report below it, which is fetched anew when it has changed.
const live = byId("now"), path = live.dataset.path, PACES = 300, REFRESH_MS = 4000;
const paces = [];
let shownVersion = data.version, refreshing = false, refreshed = Date.now(), lastNow = null;
function facts(now) {
  const known = value => value !== null && value !== undefined, found = [[whole(now.batches), now.total ? `of ${whole(now.total)} batches` : "batches"]];
  if (known(now.epoch)) found.push([`${now.epoch + 1}${now.epochs ? ` of ${now.epochs}` : ""}`, "epoch"]);
  if (known(now.samples_per_second)) found.push([number(now.samples_per_second), "samples/s"]);
  if (known(now.batches_per_second)) found.push([number(now.batches_per_second), "batches/s"]);
  if (known(now.batch_seconds)) found.push([duration(now.batch_seconds), "median batch"]);
  if (known(now.data_wait)) found.push([share(now.data_wait), "waiting for data"]);
  for (const [name, value] of now.logged) if (known(value)) found.push([number(value), name]);
  return found;
}
function showNow(now) {
  lastNow = now;
  const state = byId("now-state"), asOf = now.asked || now.state !== "running" ? "" : `, count ${duration(Math.round(now.as_of))} old`;
  if (state.textContent !== now.said + asOf) state.textContent = now.said + asOf;
  state.className = `badge ${now.state === "ended" ? now.said : now.state}`;
  const bar = byId("now-progress"), ending = now.remaining === null ? "" : `, about ${duration(now.remaining)} left, until ${new Date(Date.now() + 1000 * now.remaining).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
  byId("now-progress-part").hidden = now.state === "ended" || !now.entry;
  if (now.total) { bar.max = now.total; bar.value = now.batches; }
  else bar.removeAttribute("value");
  byId("now-progress-text").textContent = now.total ? `${share(now.batches / now.total)} of ${whole(now.total)} batches${ending}` : now.state === "running" ? "How many batches there will be is known when the first epoch has ended." : "";
  const list = byId("now-facts");
  list.replaceChildren();
  for (const [value, name] of facts(now)) {
    const item = html("li", { "data-fact": name }, list);
    html("b", {}, item, value);
    html("span", {}, item, name);
  }
  byId("now-phases-part").hidden = !now.phases.length || now.state !== "running";
  const phases = byId("now-phases"), legend = byId("now-phases-legend");
  phases.replaceChildren();
  legend.replaceChildren();
  for (const [name, part] of now.phases) {
    html("i", { style: `flex:${part};background:var(--${name})` }, phases);
    html("i", { class: "dot", style: `background:var(--${name})` }, html("li", {}, legend)).after(`${name} ${share(part)}`);
  }
  pace(now);
  profiling(now);
}
function pace(now) {
  if (now.batches_per_second !== null && now.state === "running") paces.push([Date.now() / 1000, now.batches_per_second]);
  if (paces.length > PACES) paces.shift();
  byId("now-pace-part").hidden = paces.length < 2;
  if (paces.length < 2) return;
  const plot = frame("now-pace", 110, 58), began = paces[0][0], span = paces[paces.length - 1][0] - began, high = Math.max(...paces.map(each => each[1]), 1e-9) * 1.1;
  const y = value => plot.bottom - value / high * (plot.bottom - plot.top), x = timeAxis(plot, span);
  valueAxis(plot, ticks(0, high, 3), y, number);
  svg("path", { class: "curve", style: "stroke:var(--forward)", d: "M" + paces.map(([t, v]) => `${x(t - began).toFixed(1)} ${y(v).toFixed(1)}`).join("L") }, plot.root);
}
// --- a window of the profiler ----------------------------------------------------------------------------------------
function profiling(now) {
  const window = now.window, button = byId("profile"), text = byId("profile-text");
  button.disabled = !now.ready || (window !== null && !window.over);
  const said = !window ? (now.ready ? "" : now.state === "ended" || now.state === "killed" ? "The run is over." : "This run takes no requests from here.")
    : window.state === "waiting" ? "Asked: the window opens with the next batch."
    : window.state === "open" ? `Recording: ${window.batches} of ${window.of} batches.`
    : window.state === "analysing" ? "Reading what was recorded."
    : window.state === "done" ? "Done: it is below, under “Profiler windows”, with the next export."
    : `Not possible: ${window.message}`;
  if (text.textContent !== said) text.textContent = said;
}
byId("profile").addEventListener("click", async () => {
  byId("profile").disabled = true;
  byId("profile-text").textContent = "Asking…";
  try {
    const answer = await fetch(`${path}/profile`, { method: "POST" });
    if (!answer.ok && answer.status !== 409) byId("profile-text").textContent = `Not possible: ${await answer.text()}`;
  } catch { byId("profile-text").textContent = "Not possible: the connection is lost."; }
});
// --- the report, anew ------------------------------------------------------------------------------------------------
// Asked for as a document, which is no markup that a script puts into the page, and runs nothing.
function refresh() {
  if (refreshing || document.hidden) return;
  refreshing = true;
  refreshed = Date.now();
  const request = new XMLHttpRequest();
  request.responseType = "document";
  request.addEventListener("loadend", () => {
    refreshing = false;
    if (request.status === 200 && request.response?.getElementById("payload")) replace(request.response);
  });
  request.open("GET", `${path}/fresh`);
  request.send();
}
const keyOf = element => element.getAttribute("aria-labelledby") || element.className || element.tagName;
function focused() {
  const element = document.activeElement;
  if (element?.classList.contains("point")) { const trace = data.batches[Number(element.dataset.index)]?.trace; return () => points[data.batches.findIndex(batch => batch.trace === trace)]?.focus({ preventScroll: true }); }
  if (element?.id) return () => byId(element.id)?.focus({ preventScroll: true });
  const label = element?.getAttribute("aria-label") || element?.textContent;
  if (element?.matches("main button, main summary, main [tabindex]")) return () => [...document.querySelectorAll("main button, main summary, main [tabindex]")].find(each => (each.getAttribute("aria-label") || each.textContent) === label)?.focus({ preventScroll: true });
  return () => {};
}
function replace(fresh) {
  const main = byId("main"), again = focused(), at = scrollY;
  const open = data.batches[opened]?.trace, waterfall = byId("waterfall");
  const unfolded = new Set([...main.querySelectorAll("details[open] > summary")].map(each => each.textContent));
  const scrolled = new Map([...main.querySelectorAll(".scroll")].map(each => [each.getAttribute("aria-label"), each.scrollTop]));
  // What is live stays where it is.
  const head = document.querySelector("header"), lives = each => each.matches("nav, .now");
  for (const each of [...head.children]) if (!lives(each)) each.remove();
  let before = null;
  for (const each of [...fresh.querySelector("header").children].reverse()) {
    if (lives(each)) before = head.querySelector(each.tagName === "NAV" ? "nav" : ".now");
    else before = head.insertBefore(document.importNode(each, true), before);
  }
  main.replaceChildren(...[...fresh.getElementById("main").children].map(each => document.importNode(each, true)));
  Object.assign(data, JSON.parse(fresh.getElementById("payload").textContent));
  shownVersion = data.version;
  document.title = fresh.title;
  opened = open === undefined ? -1 : data.batches.findIndex(batch => batch.trace === open);
  current = Math.max(0, Math.min(current, data.batches.length - 1));
  const empty = byId("waterfall"), kept = open !== undefined && waterfall && empty;
  for (const each of bindings) if (!(kept && each === bindWaterfall)) each();
  // What is read right now stays as it is.
  if (kept) empty.replaceWith(waterfall);
  for (const summary of main.querySelectorAll("summary")) if (unfolded.has(summary.textContent)) summary.parentElement.open = true;
  drawnWidth = 0;
  draw();
  for (const each of main.querySelectorAll(".scroll")) each.scrollTop = scrolled.get(each.getAttribute("aria-label")) || 0;
  again();
  scrollTo({ top: at, behavior: "instant" });
}
drawings.push(() => { if (lastNow) pace({ ...lastNow, state: "" }); });
listen(`${path}/events`, {
  now(now) {
    showNow(now);
    if (now.version !== shownVersion && Date.now() - refreshed > REFRESH_MS) refresh();
  },
  gone({ error }) { byId("lost").textContent = error; },
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && lastNow && lastNow.version !== shownVersion) refresh(); });
