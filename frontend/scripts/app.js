// Every module only adds to a page that works without it, listens on the document, and so survives htmx swaps.
import "./theme-switch.js";
import "./notebook.js"; // before the shortcuts: a cell in focus has keys of its own
import "./supertimeline.js"; // before the shortcuts: its rows have keys of their own
import "./shortcuts.js";
import "./dialogs.js";
import "./palette.js";
import "./menus.js";
import "./copy.js";
import "./toasts.js";
import "./textareas.js";
import "./writing.js";
import "./drafts.js"; // before forms.js: a form is sent once its session was found good
import "./resumable.js"; // before forms.js, which lets a form alone that somebody else sends
import "./forms.js";
import "./passkeys.js";
import "./uploads.js";
import "./grid.js";
import "./graph.js";
import "./swaps.js";
import "./problems.js";
import "./kql.js";
