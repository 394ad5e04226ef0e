import type { ReadableFile } from "../../../src/pipeline/upkeep/archive/archive-files.ts";
import { UsageError } from "../usage-error.ts";

/** So many bytes at the beginning of a file tell its format. */
const lookedAtBytes = 512;

const asTable = (name: string): string =>
  `'bun run telemetry upload ${name}' reads tables of CSV, plain or packed, and so does a streamer with CSV_FILE=${name}`;
const asPush = (name: string, type: string): string =>
  `push it with curl --data-binary @${name} -H 'Content-Type: ${type}' and the address of the gateway, such as http://localhost:8080/api/v1/telemetry`;

/** Formats that people take for one that `import` reads, each with the command that reads it. The first that fits counts.
 *  `begins` is matched with the file's first bytes, as latin1. */
const formats: readonly {
  readonly begins: string | RegExp;
  readonly is: string;
  readonly advice: (name: string) => string;
}[] = [
  { begins: /^$/, is: "is empty", advice: () => "import reads Parquet files" },
  { begins: "\x1f\x8b", is: "is packed with gzip", advice: asTable },
  { begins: "\x28\xb5\x2f\xfd", is: "is packed with zstd", advice: asTable },
  { begins: /^(?:\xef\xbb\xbf)?\s*\[/, is: "is JSON", advice: (name) => asPush(name, "application/json") },
  {
    begins: /^(?:\xef\xbb\xbf)?\s*\{[^\n]*\}\s*\n/,
    is: "is lines of JSON",
    advice: (name) => asPush(name, "application/x-ndjson"),
  },
  { begins: /^(?:\xef\xbb\xbf)?\s*\{/, is: "is JSON", advice: (name) => asPush(name, "application/json") },
  {
    begins: /^(?:\xef\xbb\xbf)?\s*<[\s\S]*nvidia_smi_log/,
    is: "is XML of nvidia-smi",
    advice: (name) => `a streamer with CSV_FILE=${name} reads it`,
  },
  { begins: /^[^\0]+$/, is: "is text", advice: asTable },
];

/** @param name what the file is called in messages
 *  @throws UsageError if the file has another format, with the command that reads it */
export async function refuseOtherFormats(file: ReadableFile, name: string): Promise<void> {
  const bytes = await file.slice(0, Math.min(lookedAtBytes, file.byteLength)).catch(() => undefined);
  const head = bytes && Buffer.from(bytes).toString("latin1");
  // what cannot be read, or begins as Parquet does, has an error of its own
  if (head === undefined || head.startsWith("PAR1")) return;
  const found = formats.find(({ begins }) =>
    typeof begins === "string" ? head.startsWith(begins) : begins.test(head),
  );
  if (found !== undefined) throw new UsageError(`${name} ${found.is}, not Parquet: ${found.advice(name)}`);
}
