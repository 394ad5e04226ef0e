import { fileURLToPath } from "node:url";
import { readRules } from "./read-rules.ts";
import type { Rule } from "./rule.ts";
import { readXidCatalogue, type XidCatalogue } from "./xid-catalogue.ts";

/** Reads the default rules, which are a file next to this one. */
export async function defaultRules(): Promise<readonly Rule[]> {
  return readRules(await textOf("default-rules.yaml"), "default-rules.yaml");
}

/** Reads the catalogue of XIDs, which is a file next to this one. */
export async function defaultXids(): Promise<XidCatalogue> {
  return readXidCatalogue(await textOf("xid-catalogue.csv"), "xid-catalogue.csv");
}

function textOf(name: string): Promise<string> {
  return Bun.file(fileURLToPath(new URL(name, import.meta.url))).text();
}
