import fc from "fast-check";
import { exporterHeader, exporterRow } from "./csv-reading.ts";

/** Yields one of these texts. */
export const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);

/** Numbers that mean 'no value' for a metric of some width, and numbers next to them. */
const blanks = oneOf(
  ...["2147483631", "2147483632", "2147483635", "2147483647", "2147483648", "2147483632.5", "4294967295"],
  ...["140737488355327", "140737488355328", "140737488355331", "140737488355332", "140737488355328.000000"],
  ...[
    "9223372036854775792",
    "9223372036854775807",
    "9223372036854776000",
    "9.22337203685478E+18",
    "1.40737488355329e14",
  ],
);

const gpus = [
  { gpu: "0", uuid: "GPU-0", host: "host-1" },
  { gpu: "1", uuid: "GPU-1", host: "host-1", pod: "pod-a", namespace: "ml" },
  { gpu: "0", uuid: "GPU-2", host: "host-2" },
  { gpu: "0", uuid: "GPU-2", host: "host-2", more: ',GPU_I_ID="3",GPU_I_PROFILE="1g.10gb"', pod: "pod-b" },
  { gpu: "0", uuid: "GPU-2", host: "host-2", more: ',GPU_I_ID="4",GPU_I_PROFILE="1g.10gb",pod_uid="u"', pod: "pod-c" },
  { gpu: "1", uuid: "GPU-1", host: "host-1", more: ',exported_pod="pod-d",exported_namespace="ml"', pod: "exporter" },
  { gpu: "1", uuid: "GPU-1", host: "host-1", more: ',vgpu="a"', pod: "pod-e", namespace: "ml" },
  { gpu: "1", uuid: "GPU-1", host: "host-1", more: ',pod="pod-f",namespace="ml"' },
  { gpu: "0", uuid: "GPU-0", host: "host-1", more: ',pod_name="pod-g"', pod: "dcgm-exporter-7x", namespace: "mon" },
];

/** Rows with repeated values, so that the fast lane reads most rows. */
const usualRows = fc
  .record({
    gpu: fc.constantFrom(...gpus),
    timestamp: oneOf("2025-07-18T20:42:34Z", "2025-07-18T20:42:35.250Z"),
    metric: oneOf("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "fan"),
    value: fc.oneof({ weight: 5, arbitrary: oneOf("0", "42", "73.136", "99") }, { weight: 1, arbitrary: blanks }),
  })
  .map(({ gpu, ...cells }) => exporterRow({ ...gpu, ...cells }));

const oddRows = fc
  .record({
    timestamp: oneOf("2025-07-18T20:42:34Z", "1752871354", " 2025-07-18T20:42:34Z", "soon", ""),
    metric: oneOf(
      "DCGM_FI_DEV_GPU_UTIL",
      "temperature",
      "my_metric",
      "DCGM_FI_DEV_SERIAL",
      "DCGM_FI_DEV_DEC_UTIL ",
      "__proto__",
      'odd}name,"',
      "DCGM_EXP_XID_ERRORS_COUNT",
    ),
    gpu: fc.constantFrom(...gpus, { gpu: "x", uuid: "GPU-3", host: "" }, { gpu: "1", uuid: "GPU-0", host: "host-2" }),
    value: fc.oneof(
      oneOf("-0", "-", ".", "1e2", "", "N/A", "101", "2147483632", " 7", "x", ".5", "5.", "12.345678901234567"),
      fc.double({ min: 0, max: 100, noNaN: true }).map(String),
    ),
    labels: fc.option(
      oneOf(
        'a="1",__name__="DCGM_FI_DEV_GPU_UTIL"',
        'a="x\\",__name__=\\"temperature\\"",__name__="temperature"',
        "a=1;b=2",
        "",
        'a="é"',
        'xid="31",err_code="1"',
        'xid="79",err_code="2"',
        'xid="79",vgpu="b"',
        'xid="79",window_size_in_ms="600000"',
        `xid="${"7".repeat(1100)}"`,
        `pod="${"p".repeat(300)}"`,
      ),
      { nil: undefined, freq: 2 },
    ),
  })
  .map(({ labels, gpu, ...cells }) => exporterRow({ ...gpu, ...cells, ...(labels === undefined ? {} : { labels }) }));

/** Rows of one or more cells, too long for some values of `rowMaxBytes`. Some rows contain line ends, and some have a quote that
 *  is never closed. */
const longRows = fc
  .tuple(fc.integer({ min: 200, max: 1500 }), oneOf("x", '"', '"x', '"a\nb', "a,"))
  .map(([length, text]) => text.padEnd(length, text.length > 2 ? text.slice(1) : text));

/** Rows that span three lines; some have quotes in an unquoted cell before the first line end. */
const rowsOverLines = fc
  .tuple(usualRows, oneOf('"$1"', '$1""'))
  .map(([row, device]) => row.replace(/"(nvidia\d)"/, device).replace(/(.*)dcgm/, "$1dc\n\r\ngm"));

const lines = fc.oneof(
  { weight: 20, arbitrary: usualRows },
  { weight: 4, arbitrary: oddRows },
  {
    weight: 1,
    arbitrary: oneOf(
      "",
      "  ",
      exporterHeader,
      "a,b",
      '"open',
      '"a"b,c',
      'x","y',
      'a""b,"c"',
      exporterRow().replace("42", "4\n2"),
    ),
  },
  { weight: 1, arbitrary: longRows },
  { weight: 2, arbitrary: rowsOverLines },
  { weight: 1, arbitrary: usualRows.map((row) => row.replaceAll('"', "")) },
  { weight: 1, arbitrary: usualRows.map((row) => row.replace(/"([^",]+)"/, "$1")) },
);

const files = fc
  .array(fc.tuple(lines, fc.constantFrom("\n", "\n", "\n", "\r\n")), { minLength: 30, maxLength: 60 })
  .map((parts) => Buffer.from(`${exporterHeader}\n${parts.map((part) => part.join("")).join("")}`));

/** Texts that can break a row, or change where it ends. */
export const insertions = ['"', "\n", "\r", "\0", ",", '""', '"\n"', "\u{feff}", "\r\n"].map((text) =>
  Buffer.from(text),
);
/** Bytes that are not valid UTF-8. */
export const badUtf8 = [Buffer.from([0xff]), Buffer.from([0xc3]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xa0])];

type Mutation = (bytes: Buffer) => Buffer;
const places = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(places, fc.integer({ min: 0, max: 7 })).map(([place, bit]): Mutation => (bytes) => {
    const flipped = Buffer.from(bytes);
    const at = bodyAt(bytes, place);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
    return flipped;
  }),
  fc.tuple(places, fc.constantFrom(...insertions, ...badUtf8)).map(([place, extra]): Mutation => (bytes) => {
    const at = bodyAt(bytes, place);
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
  }),
  places.map(
    (place): Mutation =>
      (bytes) =>
        bytes.subarray(0, bodyAt(bytes, place)),
  ),
  fc.tuple(places, fc.integer({ min: 1, max: 30 })).map(([place, count]): Mutation => (bytes) => {
    const at = bodyAt(bytes, place);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
  }),
);

/** An offset after the header, because another test covers broken headers.
 *  @param place the share of the body before the offset, from 0 to 1 */
function bodyAt(bytes: Buffer, place: number): number {
  const start = exporterHeader.length + 1;
  return start + Math.floor(place * Math.max(0, bytes.length - start));
}

/** A file in the exporter's layout with odd or broken rows, such as rows without a quote, rows that span several lines, and rows
 *  that are too long. */
export const csvBytes = fc
  .tuple(files, fc.array(mutations, { maxLength: 12 }))
  .map(([file, changes]) => changes.reduce<Buffer>((bytes, change) => change(bytes), file));

/** Options for reading a file. The sizes suit rows of about 260 bytes. */
export const readings = fc.record({
  batchRows: fc.integer({ min: 1, max: 12 }),
  batchMaxRows: fc.integer({ min: 1, max: 30 }),
  chunkBytes: fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 20, max: 60 }) },
    { weight: 9, arbitrary: fc.integer({ min: 300, max: 4000 }) },
    { weight: 9, arbitrary: fc.constant(1 << 20) },
  ),
  rowMaxBytes: fc.oneof(fc.constant(1 << 20), fc.integer({ min: 200, max: 1000 })),
  sampleBytes: fc.oneof(fc.constant(1 << 24), fc.integer({ min: 500, max: 5000 })),
});
