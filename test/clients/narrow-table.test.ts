import { expect, spyOn, test } from "bun:test";
import { fixedTable } from "../../scripts/telemetry/fixed-table.ts";
import type { Row } from "../../scripts/telemetry/output.ts";
import { type ShowOptions, showRows } from "../../scripts/telemetry/show-rows.ts";
import { fittedText } from "../../scripts/telemetry/narrow-table.ts";

const uuid = "GPU-2f6a84c7-5012-aac9-a54b-2ebed2f4aea3";
const row = {
  hostname: "mtv5-dgx1-hgpu-032",
  uuid,
  name: "NVIDIA H100 80GB HBM3",
  last_seen_at: "2025-07-18T20:42:34Z",
};
const widthOf = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

test("in 60 columns, long texts go on in the next line, and no line is wider", () => {
  const rows = [
    { source: "csv:/home/someone/exports/fleet.csv", message: "the value is not a number, and nothing else" },
  ];
  const columns = [
    { name: "source", wraps: true },
    { name: "message", wraps: true },
  ];
  const text = fittedText(rows, columns, 60);
  expect(widthOf(text)).toBeLessThanOrEqual(60);
  expect(text).toContain("│ source");
  expect(widthOf(fittedText(rows, columns, 200))).toBeGreaterThan(60);
});

test("a table that cannot fit has a line for each value, with the uuid whole", () => {
  const columns = [
    { name: "hostname", wraps: true },
    { name: "uuid" },
    { name: "name", wraps: true },
    { name: "last_seen_at" },
  ];
  const text = fittedText([row, { ...row, name: "" }], columns, 60);
  expect(text.split("\n")).toEqual([
    "hostname      mtv5-dgx1-hgpu-032",
    `uuid          ${uuid}`,
    "name          NVIDIA H100 80GB HBM3",
    "last seen at  2025-07-18T20:42:34Z",
    "",
    "hostname      mtv5-dgx1-hgpu-032",
    `uuid          ${uuid}`,
    "last seen at  2025-07-18T20:42:34Z",
  ]);
});

test("tables with fixed widths become narrower with the terminal, and stay as they are in a pipe", () => {
  const columns = [
    { title: "target", width: 30, align: "left" },
    { title: "state", width: 7, align: "left" },
    { title: "dialect", width: 30, align: "left" },
    { title: "ms", width: 5, align: "right" },
  ] as const;
  const widthIn = (maxWidth: number | undefined): number => {
    const table = fixedTable(columns, maxWidth);
    table.push(["http://gpu-01.example:9400/metrics", "up", "dcgm-exporter", "12"]);
    return widthOf(table.toString());
  };
  expect([widthIn(undefined), widthIn(100), widthIn(60), widthIn(40)]).toEqual([77, 77, 60, 40]);
});

/** What showRows prints on a terminal of 60 columns. */
function shownIn60(rows: readonly Row[], names: readonly string[], options: Omit<ShowOptions, "asJson">): string {
  const texts: string[] = [];
  const writing = spyOn(process.stdout, "write").mockImplementation((chunk) => texts.push(String(chunk)) > 0);
  const { columns } = process.stdout;
  process.stdout.columns = 60;
  try {
    showRows(rows, names, { asJson: false, ...options });
  } finally {
    process.stdout.columns = columns;
    writing.mockRestore();
  }
  return texts.join("");
}

test("many rows leave out the columns that they can spare, and say so; few have a line for each value", () => {
  const names = ["hostname", "uuid", "name", "last_seen_at"];
  const shown = (rows: readonly (typeof row)[]) => shownIn60(rows, names, { spare: ["uuid", "last_seen_at"] });
  const many = shown(Array.from({ length: 32 }, () => row));
  expect(many.split("\n").length).toBeLessThan(80);
  expect(widthOf(many)).toBeLessThanOrEqual(60);
  expect(many).toContain("│ mtv5-dgx1-hgpu- │ NVIDIA H100 │ ");
  expect(many).toContain("no room for uuid in 60 columns: --json has all\n");
  expect(shown([row])).toContain(`uuid          ${uuid}\n`);
});

test("a terminal too narrow for the times of many rows has their ages, and other columns are left out before these", () => {
  const at = new Date(Date.now() - 3 * 3600_000).toISOString();
  const host = {
    hostname: "mtv5-dgx1-hgpu-",
    cluster_id: "a-cluster",
    gpu_count: 8,
    active_gpu_count: 8,
    status: "active",
  };
  const rows = Array.from({ length: 3 }, (_, index) => ({ ...host, hostname: `host-${index}`, last_seen_at: at }));
  const columns = ["hostname", "cluster_id", "gpu_count", "active_gpu_count", "status", "last_seen_at"];
  const wide = rows.map((each) => ({ ...each, cluster_id: "a-cluster-with-a-name-that-is-longer" }));
  const said = (given: readonly Row[]) => shownIn60(given, columns, { spare: ["cluster_id"], time: "last_seen_at" });
  expect(said(rows)).toContain("│ 3h  │");
  expect(said(rows)).toContain("no room for last seen at in 60 columns: --json has all");
  expect(said(rows)).toContain("a-cluster");
  expect(said(wide)).toContain("│ 3h  │");
  expect(said(wide)).toContain("no room for last seen at and cluster id in 60 columns:\n--json has all");
});
