
// --- all of it, again where the page became wider or narrower ---------------------------------------------------------
let drawnWidth = 0;
function draw() {
  if (document.body.clientWidth === drawnWidth) return;
  drawnWidth = document.body.clientWidth;
  for (const each of drawings) each();
}
for (const each of bindings) each();
draw();
let waiting = 0;
addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); });
