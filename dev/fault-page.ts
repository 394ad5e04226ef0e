import { join } from "node:path";
import { defaultRules, defaultXids } from "../src/faults/rules/default-rules.ts";
import type { Rule } from "../src/faults/rules/rule.ts";
import { conditionOf as conditionText, endOf } from "../src/faults/rules/rule-text.ts";
import type { XidCatalogue } from "../src/faults/rules/xid-catalogue.ts";

/** docs/faults.md with the parts that are made from the default rules and the catalogue of XIDs: what is between
 *  `<!-- made from the rules: NAME -->` and `<!-- end -->`. `bun dev/fault-page.ts` writes them. */
export function withRules(page: string, rules: readonly Rule[], catalogue: XidCatalogue): string {
  const parts: Readonly<Record<string, () => string>> = {
    table: () => tableOf(rules),
    runbook: () => rules.map(sectionOf).join("\n\n"),
    xids: () => xidTableOf(catalogue),
  };
  const part = /(<!-- made from the rules: (\w+) -->\n)[^]*?(<!-- end -->)/g;
  return page.replace(part, (...[, begin = "", name = "", end = ""]: string[]) => {
    return `${begin}\n${parts[name]?.() ?? ""}\n\n${end}`;
  });
}

function tableOf(rules: readonly Rule[]): string {
  const rows = rules.map(
    (rule) => `| [${rule.id}](#${anchorOf(rule.id)}) | ${rule.severity} | ${conditionOf(rule)} | ${endOf(rule)} |`,
  );
  return ["| rule | severity | fires | ends |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function sectionOf(rule: Rule): string {
  const { id, summary, meaning, action, source, severity } = rule;
  return [
    `### ${id}`,
    `**${summary}** (${severity}). ${meaning}`,
    `- What to do: ${action}${actionsOf(rule)}`,
    `- Fires: ${conditionOf(rule)}. Ends: ${endOf(rule)}.`,
    `- Source: ${source.replaceAll("*", "\\*")}`,
  ]
    .join("\n\n")
    .replaceAll("\n\n- ", "\n- ")
    .replace("\n- ", "\n\n- ");
}

function xidTableOf(catalogue: XidCatalogue): string {
  const rows = Array.from(catalogue.values(), ({ code, name, class: kind, action, source, date }) => {
    return `| ${code} | ${name} | ${kind} | ${action} | ${source}, ${date} |`;
  });
  return ["| XID | name | class | what to do | source |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}

/** What to do by the labels of the value. */
function actionsOf(rule: Rule): string {
  const actions = rule.kind === "threshold" ? Object.entries(rule.actions ?? {}) : [];
  return actions.map(([text, action]) => ` With ${text} in the labels: ${action}`).join("");
}

/** As GitHub makes it from a heading. */
const anchorOf = (id: string): string => id.replaceAll(".", "");

/** When a rule fires, with the metrics as code and a link to the classes of XIDs. */
function conditionOf(rule: Rule): string {
  return conditionText(rule, (metric) => `\`${metric}\``).replace("of the class ", "of the [class](#xids) ");
}

if (import.meta.main) {
  const path = join(import.meta.dir, "../docs/faults.md");
  await Bun.write(path, withRules(await Bun.file(path).text(), await defaultRules(), await defaultXids()));
}
