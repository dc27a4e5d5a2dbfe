// Kusto's language service in its worker. It splits a text into queries at blank lines, as the portals' editors do. What
// is written here runs as one query, blank lines and all: one block, or a `let` above a blank line would not be known.
import "@kusto/monaco-kusto/release/esm/kusto.worker";

const facts = self.Kusto.Language.Parsing.ScriptFacts;
facts.GetLineSeparatedBlockStarts = () => {
  const starts = new (self.System.Collections.Generic.List$1(self.System.Int32).$ctor2)(1);
  starts.add(0);
  return starts;
};
