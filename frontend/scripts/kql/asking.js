// A question to the server on behalf of the form that holds the editor.

/** POST `values`; `{ok, body}`, or null where there is no answer of ours: offline, signed out, overtaken by a newer one. */
export async function post(host, address, values, signal) {
  const token = host.closest("form")?.elements.csrfmiddlewaretoken?.value ?? "";
  try {
    const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(values), signal });
    const isOurs = !answer.redirected && answer.headers.get("Content-Type")?.startsWith("application/json");
    return isOurs ? { ok: answer.ok, body: await answer.json() } : null;
  } catch {
    return null;
  }
}
