// Holds Kusto queries against a schema with Microsoft's own language service:
// node kusto_language.js PACKAGE_FOLDER < {"tables": {name: "(column: type, ...)"}, "queries": {name: text}}
// Prints {name: {"faults": [text], "columns": {name: type}}}; a fault has the line that it is in.
"use strict";
const path = require("path");
require(path.join(process.argv[2], "bridge.min.js"));
require(path.join(process.argv[2], "Kusto.Language.Bridge.min.js"));
const { GlobalState, KustoCode, Symbols } = Kusto.Language;
const list = found => Bridge.toArray(found);

const { tables, queries } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const symbols = Object.entries(tables).map(([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, null));
const database = new Symbols.DatabaseSymbol.ctor("workspace", symbols);
const globals = GlobalState.Default.WithDatabase(database);

const answers = {};
for (const [name, text] of Object.entries(queries)) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const faults = list(code.GetDiagnostics()).map(one => {
    const line = text.slice(0, one.Start).split("\n").length;
    return `${line}: ${one.Severity} ${one.Code} ${one.Message}`;
  });
  const columns = code.ResultType && code.ResultType.Columns ? list(code.ResultType.Columns) : [];
  answers[name] = { faults, columns: Object.fromEntries(columns.map(one => [one.Name, one.Type.Name])) };
}
console.log(JSON.stringify(answers));
