import { expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { nextSteps } from "../../src/terminal/next-steps.ts";
import { addStored, emptyFigures, importReportText } from "../../src/terminal/import-report.ts";

const report = {
  ...{ description: "file.csv", seconds: 1, deadLetters: 0, absentBytes: 0, next: [] },
  ...{ unreadColumns: [], ownColumns: [] },
};
const figures = { ...emptyFigures(), rows: 9, samples: 5, duplicates: 2 };

test("the report of an import counts conflicting values and names the columns that were not read", () => {
  const conflicting = { ...figures, conflicts: 2 };
  const text = importReportText({ ...report, thisRun: conflicting, inAll: conflicting, unreadColumns: ["note", ""] });
  expect(text).toMatch(/conflicting values\s+2\n/);
  expect(text).toMatch(/columns not read: "note", ""\n/);
});

test("this run counts the conflicts and rejections that the store finds between messages, and nothing of a duplicate", () => {
  const counted = emptyFigures();
  const counts = { recordsInserted: 0, recordsMerged: 1, conflicts: 2, rejected: { uuid_on_two_hosts: 3 } };
  addStored(counted, makeBatch([]), { duplicate: false, ...counts, contested: [] });
  addStored(counted, makeBatch([]), { duplicate: true, ...counts, contested: [] });
  expect(counted).toMatchObject({ conflicts: 2, rejected: { uuid_on_two_hosts: 3 } });
});

test("a report ends with the commands to go on with, ready to copy", () => {
  const next = nextSteps({ url: "http://localhost:9090", clusterId: "lab", csvFile: "my file.csv" });
  expect(importReportText({ ...report, thisRun: figures, inAll: figures, next })).toEndWith(
    `
Next, in another terminal:
  bun run telemetry --url http://localhost:9090 hosts
  bun run telemetry --url http://localhost:9090 latest
  CLUSTER_ID=lab bun run verify --csv 'my file.csv' --url http://localhost:9090
`,
  );
  const plain = { url: "http://localhost:8080", clusterId: "local-cluster", csvFile: "fleet.csv" };
  expect(nextSteps(plain, true)[0]).toBe("bun run telemetry rejections");
  expect(nextSteps(plain).at(-1)).toBe("bun run verify --csv fleet.csv");
});

test("a report names the columns that became metrics outside the catalogue, and says if a file has no rows", () => {
  const ownColumns = ['"memory_used [MB]" (memory_used is read in MiB, not in MB)', ...Array<string>(25).fill('"x"')];
  const text = importReportText({ ...report, thisRun: figures, inAll: figures, ownColumns });
  expect(text).toContain(
    `  not in the catalogue, numbers stored under their own names:\n    ${ownColumns[0]}\n    "x"\n`,
  );
  expect(text).toContain('    "x"\n    and 6 more\n');
  const empty = { ...emptyFigures() };
  expect(importReportText({ ...report, thisRun: empty, inAll: empty })).toStartWith(
    "\nfile.csv has no rows after its header\n",
  );
});

test("without conflicts and unread columns, a report has no lines about them", () => {
  const text = importReportText({ ...report, thisRun: figures, inAll: figures });
  expect(text).toMatch(/duplicates\s+2\n/);
  expect(text).not.toMatch(/conflicting|not read/);
});
