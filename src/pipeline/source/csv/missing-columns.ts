import { quoted } from "../../../domain/cut-text.ts";
import { UnusableSource } from "../../../domain/errors.ts";
import { looksLikeHeader, normalName, requiredNames } from "./column-names.ts";
import { meantNames } from "./meant-names.ts";

const exampleHeader = "timestamp,gpu_id,uuid,hostname,gpu_utilization";

/** A header lacks columns. */
export class MissingColumns extends UnusableSource {
  constructor(
    message: string,
    readonly missing: readonly string[],
  ) {
    super(message);
  }
}

/** What is wrong with a header, and what to do.
 *  @param isSmi true for the header of a table of nvidia-smi */
export function problemOf(header: readonly string[], missing: readonly string[], isSmi: boolean): string {
  const [first = ""] = header;
  if (header.length === 1 && looksLikeHeader(first.split(/[\s:]+/))) {
    return `separates its columns with other characters than commas, semicolons, tabs or |: ${quoted(first)}; separate them with commas`;
  }
  const found = header.map((name) => quoted(name)).join(", ");
  if (requiredNames.every((name) => missing.includes(name)) && header.some((name) => /^[+-]?\d/.test(name))) {
    return `does not begin with a header line, but with ${found}; write a line such as ${exampleHeader} before its first row`;
  }
  const hostAdvice = missing.includes("hostname") ? ", or set SOURCE_HOSTNAME if all GPUs are on one host" : "";
  const advice = isSmi ? " (of nvidia-smi: timestamp, index and uuid)" : "";
  return `has no usable header: missing ${missing.join(", ")}${advice}; found ${found}${meantNames(header, missing, normalName)}; rename these columns, or add those that are missing${hostAdvice}`;
}
