import { quoted } from "../../../domain/cut-text.ts";
import { UnusableSource } from "../../../domain/errors.ts";

interface Format {
  /** The file's first bytes, as latin1. */
  readonly begins: string | RegExp;
  readonly name: string;
  readonly advice: string;
  /** True if the first line says what is wrong. Absent: false. */
  readonly tellsWhy?: boolean;
  /** True for a CSV that another program made in a form of its own. Absent: false. */
  readonly isCsv?: boolean;
}

const asCsv = "save it as CSV in UTF-8";
const unpacked = "unpack it first, or pack it with gzip or zstd, which are read as they are";
const smiTable = "nvidia-smi --query-gpu=timestamp,index,uuid,temperature.gpu --format=csv";
const ofSmi = `write it with ${smiTable}, or with nvidia-smi -q -x`;
const smiError = "has an error of nvidia-smi";
/** Formats that people take for CSV. */
const formats: readonly Format[] = [
  {
    begins: /^(?:\xff\xfe\0\0|\0\0\xfe\xff|[^\0]\0\0\0|\0\0\0[^\0])/,
    name: "is text in UTF-32",
    advice: asCsv,
  },
  { begins: /^(?:\xff\xfe|\xfe\xff|[^\0]\0|\0[^\0])/, name: "is text in UTF-16", advice: asCsv },
  { begins: "PK\x03\x04", name: "is a ZIP archive or a workbook of a spreadsheet", advice: asCsv },
  { begins: "\xd0\xcf\x11\xe0", name: "is a workbook of a spreadsheet", advice: asCsv },
  { begins: "PAR1", name: "is a Parquet file", advice: asCsv },
  { begins: /^(?:ARROW1|FEA1)/, name: "is an Arrow file", advice: asCsv },
  { begins: "SQLite format 3", name: "is an SQLite database", advice: "export its table as CSV in UTF-8" },
  { begins: /^BZh\d1AY&SY/, name: "is packed with bzip2", advice: unpacked },
  { begins: "\x1f\x8b\x08", name: "is packed twice", advice: "unpack it once" },
  { begins: "\x28\xb5\x2f\xfd", name: "is packed twice", advice: "unpack it once" },
  {
    begins: /^[\s\S]{257}ustar/,
    name: "is an archive made by tar",
    advice: "take its files out, and give each by itself",
  },
  { begins: "\xfd7zXZ", name: "is packed with xz", advice: unpacked },
  { begins: "\x04\x22\x4d\x18", name: "is packed with lz4", advice: unpacked },
  { begins: "7z\xbc\xaf", name: "is packed with 7-Zip", advice: unpacked },
  {
    begins: /^(?:\xef\xbb\xbf)?\s*<[\s\S]*nvidia_smi_log/i,
    name: "is XML of nvidia-smi",
    advice: `it is read only from a file that is not packed, which CSV_FILE names; otherwise, write a table with ${smiTable}`,
  },
  {
    begins: /^(?:\xef\xbb\xbf)?\s*<(?:[?!]|html)/i,
    name: "is XML or HTML",
    advice: "convert it to CSV with a header line",
  },
  {
    begins: /^(?:\xef\xbb\xbf)?\s*[{[]\s*(?:["{[]|$)/,
    name: "is JSON",
    advice: "convert it to CSV with a header line",
  },
  {
    begins:
      /^(?:\s*|.*\d\d:\d\d:\d\d.*\n)\+-+\+\s*\| NVIDIA-SMI |^\s*=+NVSMI LOG=|^# gpu [^\n]*\n# Idx |^GPU \d+: .*\(UUID: /,
    name: "is what nvidia-smi prints for people",
    advice: ofSmi,
  },
  {
    begins: /^#\s*(?:(?:date|yyyymmdd)[, ]+(?:time|hh:mm:ss)[, ]+)?gpu[, ](?![^\n]*uuid)/i,
    name: "is what nvidia-smi dmon or pmon prints, which names no GPU",
    advice: ofSmi,
  },
  {
    begins: /^#\s*Entity\b/i,
    name: "is what dcgmi dmon prints, which has neither times nor UUIDs",
    advice: `scrape dcgm-exporter (DCGM_TARGETS), or ${ofSmi}`,
  },
  {
    begins: /^(?:\+[-+]+\+\s|-\[ RECORD \d+ \]|\*{5,} \d+\. row)/,
    name: "is a table as a database's terminal prints it",
    advice: "export it as CSV, such as with psql --csv",
  },
  {
    begins: /^(?:\xef\xbb\xbf)?(?:sep=.\r?\n)?"?Time"?[,;\t]"?[\w:. ]*\{[^\n]*=/,
    name: "is a table of Grafana with a column for each series",
    advice: "choose Table as the format of the query, and export it again: its labels are columns then",
    isCsv: true,
  },
  {
    begins: /^\s*Field "[^"\n]*" is not a valid field to query/,
    name: smiError,
    advice: "name only fields that nvidia-smi --help-query-gpu lists, and write the file again",
    tellsWhy: true,
  },
  {
    begins:
      /^\s*(?:NVIDIA-SMI has failed|No devices were found|Failed to initialize NVML|NVIDIA-SMI couldn't|Unable to determine the device handle|[^\n,]*nvidia-smi: (?:command )?not found)/,
    name: smiError,
    advice: "make nvidia-smi work on that host, and write the file again",
    tellsWhy: true,
  },
  {
    begins: /^(?:\xef\xbb\xbf)?# (?:HELP|TYPE) /,
    name: "is in the text format of Prometheus",
    advice: "set DCGM_TARGETS to the exporter's address instead, or convert it to CSV",
  },
];
const headBytes = 512;

/** @throws UnusableSource if the file's first bytes are those of another format, with what to do about it */
export function refuseOtherFormat(bytes: Buffer, path: string): void {
  const head = bytes.toString("latin1", 0, headBytes);
  const format = formats.find(({ begins }) =>
    typeof begins === "string" ? head.startsWith(begins) : begins.test(head),
  );
  if (format === undefined) return;
  const { name, advice, tellsWhy = false, isCsv = false } = format;
  const why = tellsWhy ? ` (${quoted(head.trim().split(/[\r\n]/, 1)[0] ?? "")})` : "";
  throw new UnusableSource(`${path} ${name}${why}${isCsv ? "" : ", not CSV"}: ${advice}.`);
}
