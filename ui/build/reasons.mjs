// The closed list of reasons, from the page that documents it: the module virtual:reasons.
import { readFileSync } from "node:fs";

const page = new URL("../../doc/sessions-reasons.md", import.meta.url);

/** Reads the table of doc/sessions-reasons.md. */
export function reasons() {
  const rows = readFileSync(page, "utf8").split("\n").filter((line) => line.startsWith("| `"));
  if (rows.length === 0) throw new Error("doc/sessions-reasons.md has no table of reasons");
  return rows.map((row) => {
    const [code, what, notice, remedy] = row.split("|").slice(1, 5).map((x) => x.trim());
    return { code: code.replaceAll("`", ""), what, notice, remedy };
  });
}

export const plugin = {
  name: "reasons",
  resolveId: (id) => (id === "virtual:reasons" ? "\0reasons" : undefined),
  load: (id) => (id === "\0reasons" ? `export default ${JSON.stringify(reasons())}` : undefined),
};
