import { count, path } from "../config-setting.ts";

/** The settings of faults. */
export const faultSettings = {
  faultRulesFile: path(
    "FAULT_RULES_FILE",
    "YAML file that changes rules of faults: their ids, each with the fields to change; it is reread when it changes",
  ),
  faultRetentionDays: count({
    env: "FAULT_RETENTION_DAYS",
    default: 365,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: "Age at which faults that have ended are deleted; 0: never",
  }),
};
