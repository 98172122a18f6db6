// What the live pages share: events as they come, and what is said where they do not.
function listen(path, handlers) {
  const source = new EventSource(path), lost = byId("lost");
  let since = 0;
  source.addEventListener("open", () => { since = 0; lost.textContent = ""; });
  source.addEventListener("error", () => {
    since ||= Date.now();
    lost.textContent = "Connection lost: what is shown is not new. It is tried again.";
    // A server that answers with an error is not asked again by the browser itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(path, handlers), 2000);
  });
  for (const [name, handle] of Object.entries(handlers)) source.addEventListener(name, event => { lost.textContent = ""; handle(JSON.parse(event.data)); });
  addEventListener("pagehide", () => source.close());
}
const share = value => `${Math.round(100 * value)} %`;
const whole = value => Math.round(value).toLocaleString("en");
