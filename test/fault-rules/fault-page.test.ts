import { expect, test } from "bun:test";
import { join } from "node:path";
import { withRules } from "../../dev/fault-page.ts";
import { runbookOf } from "../../src/faults/rules/rule.ts";
import { catalogue, rules } from "./scripted-fleet.ts";

const page = await Bun.file(join(import.meta.dir, "../../docs/faults.md")).text();

test("docs/faults.md has the default rules and the XIDs; bun dev/fault-page.ts writes them", () => {
  expect(withRules(page, rules, catalogue)).toBe(page);
});

test("the runbook of each rule is a heading of the page", () => {
  const headings = [...page.matchAll(/^### (.*)$/gm)].map(([, text = ""]) =>
    text.toLowerCase().replace(/[^\w -]/g, ""),
  );
  expect(rules.map(({ id }) => runbookOf(id))).toEqual(headings.map((heading) => `docs/faults.md#${heading}`));
});
