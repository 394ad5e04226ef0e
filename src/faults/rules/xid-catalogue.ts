import { parse } from "csv-parse/sync";

/** What an XID calls for: restart the job; reset the GPU; reboot the node; look at the codes that came with a memory error; check a
 *  link; check a connection or a setting; nothing; or no action is published. */
export const xidClasses = [
  "application",
  "reset",
  "reboot",
  "memory",
  "link",
  "config",
  "noise",
  "unpublished",
] as const;
export type XidClass = (typeof xidClasses)[number];

/** A code of the catalogue. */
export interface Xid {
  readonly code: number;
  readonly name: string;
  readonly class: XidClass;
  readonly action: string;
  /** The list that the class and the action come from. */
  readonly source: string;
  /** The date of that list: YYYY-MM or YYYY-MM-DD. */
  readonly date: string;
}

/** The known XIDs by code. */
export type XidCatalogue = ReadonlyMap<number, Xid>;

const columns = ["code", "name", "class", "action", "source", "date"] as const;

/** Reads a catalogue: CSV with the columns code, name, class, action, source and date.
 *  @param path for messages
 *  @throws Error that names the file, the lines and what is wrong there; no part of a damaged catalogue is used */
export function readXidCatalogue(text: string, path: string): XidCatalogue {
  const [header, ...rows] = rowsOf(text, path);
  if (header?.fields.join() !== columns.join()) {
    throw new Error(
      `${path}:1: the header is ${JSON.stringify(header?.fields.join() ?? "")}; expected ${columns.join()}`,
    );
  }
  const catalogue = new Map<number, Xid>();
  const errors: string[] = [];
  for (const { line, fields } of rows) {
    const xid = xidOf(fields);
    if (typeof xid === "string") errors.push(`${path}:${line}: ${xid}`);
    else if (catalogue.has(xid.code)) errors.push(`${path}:${line}: the code ${xid.code} is listed twice`);
    else catalogue.set(xid.code, xid);
  }
  if (catalogue.size === 0 && errors.length === 0) errors.push(`${path}: the catalogue has no code`);
  if (errors.length > 0) throw new Error(errors.join("; "));
  return catalogue;
}

/** The entry of a code. A code that the catalogue does not have is unpublished: no process passes over it in silence. */
export function xidOfCode(catalogue: XidCatalogue, code: number): Xid {
  return (
    catalogue.get(code) ?? {
      code,
      name: "Not in the catalogue",
      class: "unpublished",
      action: "No published action. Look it up in the newest list of NVIDIA and in the kernel log.",
      source: "none",
      date: "",
    }
  );
}

interface Row {
  readonly line: number;
  readonly fields: readonly string[];
}

function rowsOf(text: string, path: string): Row[] {
  try {
    const rows = parse(text, { relaxColumnCount: true, info: true, skipEmptyLines: true }) as unknown as {
      readonly info: { readonly lines: number };
      readonly record: readonly string[];
    }[];
    return rows.map(({ info, record }) => ({ line: info.lines, fields: record }));
  } catch (error) {
    throw new Error(`${path} is not CSV: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** @returns a text if the row is damaged */
function xidOf(fields: readonly string[]): Xid | string {
  const [code = "", name = "", className = "", action = "", source = "", date = ""] = fields;
  if (fields.length !== columns.length) return `the row has ${fields.length} fields; expected ${columns.length}`;
  if (!/^[1-9]\d{0,4}$/.test(code))
    return `the code is ${JSON.stringify(code)}; expected a whole number from 1 to 99999`;
  const xidClass = xidClasses.find((each) => each === className);
  if (xidClass === undefined) {
    return `the class of ${code} is ${JSON.stringify(className)}; expected one of ${xidClasses.join(", ")}`;
  }
  const empty = Object.entries({ name, action, source }).find(([, value]) => value.trim() === "");
  if (empty !== undefined) return `the ${empty[0]} of ${code} is empty`;
  if (!/^\d{4}-\d\d(?:-\d\d)?$/.test(date)) {
    return `the date of ${code} is ${JSON.stringify(date)}; expected YYYY-MM or YYYY-MM-DD`;
  }
  return { code: Number(code), name, class: xidClass, action, source, date };
}
