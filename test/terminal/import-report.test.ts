import { expect, test } from "bun:test";
import { emptyFigures, importReportText } from "../../src/terminal/import-report.ts";

const report = { description: "file.csv", seconds: 1, deadLetters: 0, absentBytes: 0 };
const figures = { ...emptyFigures(), rows: 9, samples: 5, duplicates: 2 };

test("the report of an import counts conflicting values and names the columns that were not read", () => {
  const conflicting = { ...figures, conflicts: 2 };
  const text = importReportText({ ...report, thisRun: conflicting, inAll: conflicting, unreadColumns: ["note", ""] });
  expect(text).toMatch(/conflicting values\s+2\n/);
  expect(text).toMatch(/columns not read: "note", ""\n/);
});

test("without conflicts and unread columns, a report has no lines about them", () => {
  const text = importReportText({ ...report, thisRun: figures, inAll: figures, unreadColumns: [] });
  expect(text).toMatch(/duplicates\s+2\n/);
  expect(text).not.toMatch(/conflicting|not read/);
});
