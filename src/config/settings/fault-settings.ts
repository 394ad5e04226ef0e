import { path } from "../config-setting.ts";

/** The settings of faults. */
export const faultSettings = {
  faultRulesFile: path(
    "FAULT_RULES_FILE",
    "YAML file that changes rules of faults: their ids, each with the fields to change; it is reread when it changes",
  ),
};
