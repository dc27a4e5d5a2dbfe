// localStorage that never throws: browsers may forbid it by policy or in private windows.

/** The stored string, or null. */
export function recall(key) {
  try {
    return localStorage.getItem(`ircase.${key}`);
  } catch {
    return null;
  }
}

/** Store `value`, or forget the key when it is null. */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`ircase.${key}`);
    else localStorage.setItem(`ircase.${key}`, value);
  } catch {
    // The choice then lasts for this page only.
  }
}
