import { spellingOf } from "../../../domain/dialects/spelling-of.ts";

/** Our names of columns that `nvidia-smi --query-gpu` calls otherwise. */
const ourNames: ReadonlyMap<string, string> = new Map([
  ["index", "gpu_id"],
  ["gpu_uuid", "uuid"],
  ...["name", "gpu_name"].map((name) => [name, "model_name"] as const),
  ["gpu_serial", "serial"],
  ...["pci.bus_id", "gpu_bus_id"].map((name) => [name, "pci_bus_id"] as const),
  ["inforom.img", "inforom_image_version"],
  ["inforom.oem", "oem_inforom_version"],
  ["inforom.ecc", "ecc_inforom_version"],
  ["inforom.pwr", "power_inforom_version"],
]);
/** `memory.used [MiB]` */
const nameAndUnit = /^(\S+) \[([^\]]+)\]$/;
const hexadecimal = /^0x[0-9a-f]{1,16}$/i;
const flags: ReadonlyMap<string, string> = new Map([
  ...["Yes", "Active"].map((text) => [text, "1"] as const),
  ...["No", "Not Active"].map((text) => [text, "0"] as const),
]);

interface SmiColumn {
  /** Our name of the column, or the name without its unit. */
  readonly name: string;
  /** The unit that cells repeat, unless the option nounits was set: `815 MiB`. */
  readonly unit: string | undefined;
  /** True for a metric of the catalogue. */
  readonly isMetric: boolean;
}

/** A table that `nvidia-smi --query-gpu --format=csv` has printed. It does not name its host. */
export interface SmiTable {
  /** What the columns are called in other tables. */
  readonly names: readonly string[];
  /** The cells of a row as other tables have them: without units, and with numbers for flags and bits. */
  cells(fields: readonly string[]): readonly string[];
}

/** @param header names without white space around them
 *  @returns undefined if no column has the name of one of nvidia-smi's metrics */
export function smiTableOf(header: readonly string[]): SmiTable | undefined {
  if (!header.some(isSmiMetric)) return undefined;
  const columns = header.map((name) => columnOf(name, header));
  return {
    names: columns.map(({ name }) => name),
    cells: (fields) => fields.map((text, column) => cellOf(text, columns[column])),
  };
}

function isSmiMetric(name: string): boolean {
  return spellingOf(name)?.dialect === "nvidia-smi";
}

function columnOf(written: string, header: readonly string[]): SmiColumn {
  const ours = ourNames.get(written);
  const isTaken = ours !== undefined && header.some((name) => name === ours);
  const [, base = "", unit] = nameAndUnit.exec(written) ?? [];
  if (isSmiMetric(written)) return { name: written, unit, isMetric: true };
  // in another unit than nvidia-smi's, it would be another value of the metric
  const isCustom = unit !== undefined && spellingOf(base) === undefined;
  if (isCustom) return { name: base, unit, isMetric: false };
  return { name: isTaken ? written : (ours ?? written), unit: undefined, isMetric: false };
}

function cellOf(text: string, column: SmiColumn | undefined): string {
  const plain = text.trim();
  if (column?.isMetric && hexadecimal.test(plain)) return String(Number(plain));
  if (column?.isMetric && flags.has(plain)) return flags.get(plain) ?? plain;
  const end = ` ${column?.unit}`;
  return column?.unit !== undefined && plain.endsWith(end) ? plain.slice(0, -end.length) : plain;
}
