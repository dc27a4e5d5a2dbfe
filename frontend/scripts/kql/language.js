// What Kusto's language service is told: the schema of the chosen source. What it says is softened where it cannot know.
import * as monaco from "monaco-editor/esm/vs/editor/editor.api";
import { getKustoWorker, kustoDefaults } from "@kusto/monaco-kusto";

const CLUSTER = "https://schema.invalid"; // a name for the service's books; nothing is ever fetched from it
// "The name … does not refer to any known …": https://github.com/microsoft/Kusto-Query-Language/blob/master/src/Kusto.Language/Diagnostics/DiagnosticFacts.cs
export const UNKNOWN = /does not refer to any known|is not defined/;
const TENANT = " IRCase does not know it; the tenant may.";

kustoDefaults.setMaximumWorkerIdleTime(0);
kustoDefaults.setLanguageSettings({
  ...kustoDefaults.languageSettings,
  includeControlCommands: false,
  formatter: { indentationSize: 4, pipeOperatorStyle: "NewLine" },
  useTokenColorization: true,
  openSuggestionDialogAfterPreviousSuggestionAccepted: true,
  // Table and column names of a case come from its evidence: a link among them must run no command of the editor.
  onDidProvideCompletionItems: async (list) => {
    for (const item of list?.items ?? []) {
      if (item.documentation?.value) item.documentation.value = item.documentation.value.replace(/\[!INCLUDE[^\]]*\]\([^)]*\)/g, "").replace(/command:/gi, "");
    }
    return list;
  },
});

const kept = new Map();

/** The schema at an address, read once a page; the browser's cache asks by ETag whether it still holds. */
function read(address) {
  if (!kept.has(address)) {
    const asked = fetch(address, { headers: { Accept: "application/json" } }).then((answer) => {
      if (!answer.ok || answer.redirected) throw new Error(`The schema was not given (${answer.status})`);
      return answer.json();
    });
    asked.catch(() => kept.delete(address));
    kept.set(address, asked);
  }
  return kept.get(address);
}

const table = ({ name, about, columns }) => ({
  name,
  entityType: "Table",
  docstring: about,
  columns: columns.map(([column, type]) => ({ name: column, type })),
});

const parameter = (text) => {
  const [name, type] = text.split(":");
  return { name, type, cslType: type };
};

/** Give the service the schema at `address`, and the names ("Name:type") that a prelude will bind; returns the schema. */
export async function useSchema(model, address, parameters = []) {
  const [schema, accessor] = await Promise.all([read(address), getKustoWorker()]);
  const worker = await accessor(model.uri);
  const database = { name: schema.database, tables: schema.tables.map(table), functions: [], entityGroups: [], majorVersion: 0, minorVersion: 0 };
  await worker.setSchema({ clusterType: "Engine", cluster: { connectionString: CLUSTER, databases: [database] }, database, globalScalarParameters: parameters.map(parameter) });
  return schema;
}

/** Of a tenant only Microsoft's schema is known: a name that is not in it is a warning there, no fault. */
export function soften(model, isComplete) {
  return monaco.editor.onDidChangeMarkers((changed) => {
    if (isComplete() || !changed.some((uri) => uri.toString() === model.uri.toString())) return;
    const markers = monaco.editor.getModelMarkers({ resource: model.uri, owner: "kusto" });
    const harsh = (marker) => marker.severity === monaco.MarkerSeverity.Error && UNKNOWN.test(marker.message);
    if (!markers.some(harsh)) return;
    const softer = (marker) => ({ ...marker, severity: monaco.MarkerSeverity.Warning, message: marker.message + TENANT });
    monaco.editor.setModelMarkers(model, "kusto", markers.map((marker) => (harsh(marker) ? softer(marker) : marker)));
  });
}
