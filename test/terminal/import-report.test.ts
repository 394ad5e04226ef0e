import { expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { addStored, emptyFigures, importReportText } from "../../src/terminal/import-report.ts";

const report = { description: "file.csv", seconds: 1, deadLetters: 0, absentBytes: 0 };
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

test("without conflicts and unread columns, a report has no lines about them", () => {
  const text = importReportText({ ...report, thisRun: figures, inAll: figures, unreadColumns: [] });
  expect(text).toMatch(/duplicates\s+2\n/);
  expect(text).not.toMatch(/conflicting|not read/);
});
