// A failed htmx request is said aloud and stays on screen until one succeeds; an ended session is never swapped in as a page.
const MESSAGES = {
  0: ["No connection to the server", "Nothing was lost on the server. The page tries again by itself where it was updating; otherwise repeat the action."],
  400: ["The server did not accept this request", "Reload the page and try again. If it repeats, tell your administrator what you did."],
  401: ["Your session has ended", "Sign in again; you come back to this page. Copy unsaved text first."],
  403: ["You may not do this", "Your role in this case does not allow it, or the page is older than your session: reload it. A case lead can change roles."],
  404: ["This is no longer here", "It was removed, or you may not see it. Go back to the list."],
  409: ["Somebody else was faster", "It changed while you were looking at it. Reload the page to see the present state."],
  413: ["Too large", "The server refuses a request of this size. The limit is shown beside the upload field."],
  429: ["Too many requests", "Wait a minute, then try again."],
  500: ["The server failed", "The error is in the server's log with the time of now. Nothing that was shown as saved is lost."],
};

const box = () => document.getElementById("problems");
const failing = new Set();

function explain(status) {
  return MESSAGES[status] ?? (status >= 500 ? MESSAGES[500] : MESSAGES[400]);
}

/** Show one problem; the same one again only keeps what is there, so that a poll does not repeat itself aloud. */
function show(status) {
  const place = box();
  if (!place || (place.dataset.status === String(status) && !place.hidden)) return;
  const [title, text] = explain(status);
  place.dataset.status = String(status);
  place.querySelector("[data-title]").textContent = status >= 400 ? `${title} (${status})` : title;
  place.querySelector("[data-text]").textContent = text;
  const signIn = place.querySelector("[data-sign-in]");
  signIn.hidden = status !== 401;
  if (status === 401) signIn.href = `${document.body.dataset.signInUrl}?next=${encodeURIComponent(location.pathname + location.search)}`;
  place.hidden = false;
}

function clear(path) {
  failing.delete(path);
  const place = box();
  if (place && failing.size === 0 && place.dataset.status !== "401") place.hidden = true;
}

function fail(event, status) {
  failing.add(event.detail.requestConfig?.path ?? event.detail.pathInfo?.requestPath);
  show(status);
}

const isSignInPage = (xhr) => {
  const signIn = document.body.dataset.signInUrl;
  return Boolean(signIn && xhr.responseURL) && new URL(xhr.responseURL).pathname === new URL(signIn, location.href).pathname;
};

// An expired session answers with a redirect to the sign-in page, which the browser follows: status 200, wrong page.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!isSignInPage(event.detail.xhr) || location.pathname === new URL(document.body.dataset.signInUrl, location.href).pathname) return;
  event.detail.shouldSwap = false;
  event.detail.isError = false;
  fail(event, 401);
});
document.addEventListener("htmx:responseError", (event) => fail(event, event.detail.xhr.status));
document.addEventListener("htmx:sendError", (event) => fail(event, 0));
document.addEventListener("htmx:timeout", (event) => fail(event, 0));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful && !isSignInPage(event.detail.xhr)) clear(event.detail.requestConfig.path);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close-problems]")) return;
  box().hidden = true;
  failing.clear();
});
