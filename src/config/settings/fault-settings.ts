import { Type } from "@sinclair/typebox";
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
  faultRunbookUrl: Type.Optional(
    Type.String({
      env: "FAULT_RUNBOOK_URL",
      pattern: '^https?://[^\\s<>"]+$',
      expects:
        "http:// or https:// and a page, up to where a rule's heading is appended, such as https://wiki.example.org/gpu-faults#",
      description:
        "Where people read the runbooks; with the heading of a rule appended, such as gputemperaturehigh, it is runbook_url in notifications, rules and exported alerts",
    }),
  ),
  faultWebhookUrls: Type.Optional(
    Type.Array(Type.String({ pattern: "^https?://[^,\\s]+$" }), {
      env: "FAULT_WEBHOOK_URL",
      form: "list",
      elements: "URLs that begin with http:// or https://",
      minItems: 1,
      maxItems: 20,
      secret: true,
      description:
        "Receivers that are notified of faults by POST, in the format of Alertmanager's webhooks; several are separated by commas",
    }),
  ),
  faultWebhookSecret: Type.Optional(
    Type.String({
      env: "FAULT_WEBHOOK_SECRET",
      pattern: "^[^]{16,}$",
      expects: "a text of at least 16 characters, such as openssl rand -hex 32 makes",
      secret: true,
      description: "Key of the HMAC-SHA256 of each request's body, in its header X-Telemetry-Signature; absent: none",
    }),
  ),
};
