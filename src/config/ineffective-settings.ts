import type { Config } from "./parse-config.ts";

type Retention = Pick<Config, "retentionRawDays" | "retention1mDays" | "retention1hDays">;

/** The settings of retention that the others leave without effect, each as a sentence. */
export function ineffectiveSettings({ retentionRawDays, retention1mDays, retention1hDays }: Retention): string[] {
  const told: string[] = [];
  if (retention1mDays > 0) {
    told.push("RETENTION_1M_DAYS has no effect: rollups by the minute are made from the records (RETENTION_RAW_DAYS)");
  }
  const hours = `RETENTION_1H_DAYS=${retention1hDays} has no effect: rollups by the hour are kept as long as their records,`;
  if (retention1hDays > 0 && retentionRawDays === 0) {
    told.push(`${hours} and RETENTION_RAW_DAYS=0 keeps these for ever`);
  } else if (retention1hDays > 0 && retention1hDays < retentionRawDays) {
    told.push(`${hours} which RETENTION_RAW_DAYS=${retentionRawDays} keeps for longer`);
  }
  return told;
}
