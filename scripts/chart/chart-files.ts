import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chartFolder } from "./chart-folder.ts";
import { valuesSchema } from "./values-schema.ts";

const readmeGenerator = fileURLToPath(import.meta.resolve("@bitnami/readme-generator-for-helm/bin/index.js"));

/** The files of the chart that are made from others, each with its text: the schema of the values, and the README with their table.
 *  @throws Error if a value has no comment, or a comment no value */
export async function generatedChartFiles(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["values.schema.json", schemaText()],
    ["README.md", await readmeText()],
  ]);
}

function schemaText(): string {
  // TypeBox writes a choice of texts as anyOf, which Helm's errors do not show well
  const plain = JSON.parse(JSON.stringify(valuesSchema), (_, value: unknown) => {
    const members = (value as { readonly anyOf?: readonly { readonly const?: unknown }[] } | null)?.anyOf;
    return members?.every((each) => "const" in each) ? { enum: members.map((each) => each.const) } : value;
  }) as object;
  return `${JSON.stringify({ $schema: "http://json-schema.org/draft-07/schema#", ...plain }, null, 2)}\n`;
}

async function readmeText(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-chart-"));
  try {
    const readme = join(folder, "README.md");
    await copyFile(join(chartFolder, "README.md"), readme);
    const command = [
      process.execPath,
      readmeGenerator,
      "--values",
      join(chartFolder, "values.yaml"),
      "--readme",
      readme,
    ];
    const { exitCode, stdout, stderr } = Bun.spawnSync(command);
    if (exitCode !== 0)
      throw new Error(`values.yaml and its comments differ:\n${stdout.toString()}${stderr.toString()}`);
    return await Bun.file(readme).text();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
