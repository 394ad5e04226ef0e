import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { servedDocument } from "./generate-client/served-document.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";
import { checkWritable, written } from "../src/terminal/writable-file.ts";

const usage = `Writes the OpenAPI document that a gateway of this checkout serves at /swagger/swagger.json.
  bun run generate-swagger [--out swagger.json]
The file is YAML if its name ends in .yaml or .yml.
`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
try {
  const { values } = parseArgs({ options: { out: { type: "string", default: "swagger.json" } } });
  await checkWritable("--out", values.out);
  const document = JSON.parse(await servedDocument()) as { readonly openapi: string; readonly paths: object };
  const isYaml = /\.ya?ml$/.test(values.out);
  const text = isYaml ? stringify(document) : `${JSON.stringify(document, null, 2)}\n`;
  await written("--out", values.out, () => Bun.write(values.out, text));
  print(`${values.out}: OpenAPI ${document.openapi}, ${Object.keys(document.paths).length} paths`);
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
