import { prometheusRules } from "../../../src/faults/prometheus/prometheus-rules.ts";
import { RulesInForce } from "../../../src/faults/rules/rules-in-force.ts";
import { print, printError } from "../../../src/terminal/print.ts";

/** Prints the rules that this machine's settings give, as a file of alerting rules. @throws InvalidConfig */
export async function alertingRules(): Promise<void> {
  const rules = await RulesInForce.open(process.env["FAULT_RULES_FILE"], { info: print, warn: printError });
  print(prometheusRules(await rules.read(), rules.catalogue, process.env["FAULT_RUNBOOK_URL"]).trimEnd());
}
