// [data-passkey="get|create"] inside a form: its button asks the browser for a passkey and sends the form with the answer.
// Without WebAuthn, or at an address that passkeys do not hold for, the button stays hidden and [data-no-passkeys] says so.
// https://www.w3.org/TR/webauthn-3/; options and answers are turned from and into JSON here, because
// not every browser with passkeys has parseRequestOptionsFromJSON() and toJSON().
const PROBLEMS = {
  NotAllowedError: "No passkey was given. Try again when you are ready.",
  InvalidStateError: "This device holds a passkey of yours already. Choose another device.",
  SecurityError: "Passkeys do not hold for this address. Open IRCase by its own.",
  NotSupportedError: "This device cannot hold such a passkey. Choose another.",
};

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const words = (buffer) => {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

function asked(options) {
  const listed = (all) => (all ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const made = { ...options, challenge: bytes(options.challenge) };
  if (options.user) made.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) made.excludeCredentials = listed(options.excludeCredentials);
  if (options.allowCredentials) made.allowCredentials = listed(options.allowCredentials);
  return made;
}

function answered(credential) {
  const { response } = credential;
  const parts = { clientDataJSON: words(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (response[name]) parts[name] = words(response[name]);
  return JSON.stringify({ id: credential.id, rawId: words(credential.rawId), type: credential.type, response: parts });
}

/** The browser's answer to what the server asks; throws an Error with words for the person. */
async function ceremony(box) {
  const form = box.closest("form");
  let reply;
  try {
    const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value, Accept: "application/json" };
    reply = await fetch(box.dataset.options, { method: "POST", redirect: "manual", cache: "no-store", headers });
  } catch {
    throw new Error("The server does not answer. Try again.");
  }
  if (!reply.ok && reply.status !== 409) throw new Error("Your session has ended. Reload the page.");
  const options = await reply.json();
  if (options.problem) throw new Error(options.problem);
  try {
    const given = await navigator.credentials[box.dataset.passkey]({ publicKey: asked(options) });
    return answered(given);
  } catch (error) {
    throw new Error(PROBLEMS[error.name] ?? "The browser could not do it. Try again.");
  }
}

function say(box, text) {
  const place = box.querySelector("[data-passkey-problem]");
  place.textContent = text;
  place.hidden = !text;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-passkey-start]");
  if (!button) return;
  const box = button.closest("[data-passkey]");
  const field = box.querySelector("[data-passkey-answer]");
  const form = box.closest("form");
  if (box.hidden) return event.preventDefault(); // Enter in a field presses a form's first button, shown or not
  if (field.value) return; // the answer is there: the form goes as forms go
  event.preventDefault();
  if (box.dataset.busy !== undefined || !(button.formNoValidate || form.reportValidity())) return;
  box.dataset.busy = "";
  button.setAttribute("aria-busy", "true");
  say(box, "");
  try {
    field.value = await ceremony(box);
    form.requestSubmit(button);
  } catch (error) {
    say(box, error.message);
    button.removeAttribute("aria-busy");
  } finally {
    delete box.dataset.busy;
  }
});

// A page that comes back from the back/forward cache holds an answer that was used.
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("[data-passkey-answer]")) field.value = "";
});

const able = Boolean(window.PublicKeyCredential && navigator.credentials);
for (const box of document.querySelectorAll("[data-passkey]")) {
  if (!able || !box.dataset.origins.split(" ").includes(location.origin)) continue;
  const form = box.closest("form");
  box.hidden = form.hidden = false;
  for (const text of form.querySelectorAll("[data-no-passkeys]")) text.hidden = true;
}
