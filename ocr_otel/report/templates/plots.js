"use strict";
// What every drawing needs: elements, numbers in words, scales, axes, the tip. Text is only ever set as text, never as
// markup.
const data = JSON.parse(document.getElementById("payload").textContent);
const byId = id => document.getElementById(id);
const PHONE = 560;
// What is drawn, and drawn again where the page becomes wider or narrower.
const drawings = [];
// What makes elements answer; again where they came anew.
const bindings = [];

function svg(name, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}
function html(name, attributes, parent, text) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}
function duration(s) {
  if (s < 0) return "−" + duration(-s);
  if (s > 0 && s < 0.0000995) return Number((s * 1e6).toPrecision(3)) + " µs";
  if (s < 0.9995) return Number((s * 1000).toPrecision(3)) + " ms";
  if (s < 59.95) return Number(s.toPrecision(3)) + " s";
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min` + (whole % 60 ? ` ${whole % 60} s` : "");
  return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole % 3600 / 60)).padStart(2, "0")} min`;
}
function number(value) {
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(2);
  return Number(value.toPrecision(4)).toLocaleString("en");
}
// --- scales and axes -------------------------------------------------------------------------------------------------
function niceStep(rough, steps) {
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  return (steps.find(step => step * power >= rough) || 10) * power;
}
function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const step = niceStep((high - low) / count, [1, 2, 5, 10]), found = [];
  for (let tick = Math.ceil(low / step); tick * step <= high + step * 1e-9; tick++) found.push(tick * step);
  return found;
}
function timeTicks(high, count) {
  const unit = [1, 60, 3600, 86400].filter(each => high >= 2 * each).pop() || 1;
  return [ticks(0, high / unit, count).map(tick => tick * unit), unit, { 1: "s", 60: "min", 3600: "h", 86400: "d" }[unit]];
}
function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const step of [1, 2, 5]) if (step * 10 ** power >= low && step * 10 ** power <= high) found.push(step * 10 ** power);
  return found.length > 9 ? found.filter(tick => String(tick.toExponential(0)).startsWith("1")) : found;
}
function frame(id, height, left) {
  const host = typeof id === "string" ? byId(id) : id;
  if (!host) return null;
  host.replaceChildren();
  const width = Math.max(200, Math.floor(host.clientWidth));
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, focusable: "false" }, host);
  return { root, width, height, left, right: width - 8, top: 8, bottom: height - 24 };
}
function timeAxis(plot, high, labelled = true) {
  const x = seconds => plot.left + seconds / (high || 1) * (plot.right - plot.left);
  const [found, unit, name] = timeTicks(high, Math.max(2, Math.floor(plot.width / 110)));
  for (const tick of found) {
    svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: plot.top, y2: plot.bottom }, plot.root);
    if (labelled) svg("text", { x: x(tick), y: plot.bottom + 16, "text-anchor": tick ? "middle" : "start" }, plot.root, tick ? `${number(tick / unit)} ${name}` : "0");
  }
  return x;
}
function valueAxis(plot, found, y, label) {
  for (const tick of found) {
    svg("line", { class: "grid", x1: plot.left, x2: plot.right, y1: y(tick), y2: y(tick) }, plot.root);
    svg("text", { x: plot.left - 6, y: y(tick) + 4, "text-anchor": "end" }, plot.root, label(tick));
  }
}
// --- the tip ---------------------------------------------------------------------------------------------------------
const tip = byId("tip");
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (y + 18 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 10 : y + 16) + "px";
}
const hideTip = () => { tip.hidden = true; };
function tipped(element, text) {
  element.addEventListener("pointermove", event => showTip(typeof text === "function" ? text(event) : text, event.clientX, event.clientY));
  element.addEventListener("pointerleave", hideTip);
}
addEventListener("scroll", hideTip, { passive: true });
