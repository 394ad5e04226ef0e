import { Type } from "@sinclair/typebox";
import { count, duration, path } from "../config-setting.ts";

/** The settings of who may use the API. */
export const accessSettings = {
  auth: Type.Union(
    (["auto", "required", "off"] as const).map((mode) => Type.Literal(mode)),
    {
      env: "AUTH",
      default: "auto",
      description:
        "Whether requests need a key: auto: unless the process listens only on loopback and no key is set here; required: always; off: never, so everyone who reaches the port may read and change everything",
    },
  ),
  authKeysFile: path(
    "AUTH_KEYS_FILE",
    "File with the hashes of keys, in addition to the stored keys; read again when it changes",
  ),
  authBootstrapKey: Type.Optional(
    Type.String({
      env: "AUTH_BOOTSTRAP_KEY",
      pattern: "^gtp_[a-z0-9]{1,32}_[A-Za-z0-9_-]{43,128}$",
      expects:
        "gtp_NAME_SECRET: a name of 1 to 32 characters of a-z and 0-9, and a secret of 43 to 128 letters, digits, - and _; printf 'gtp_first_%s' \"$(openssl rand -hex 32)\" makes one",
      secret: true,
      description:
        "A key with all scopes, to create the first other keys; gtp_NAME_SECRET, where the secret has 256 random bits",
    }),
  ),
  authClientCaFile: path(
    "AUTH_CLIENT_CA_FILE",
    "Authorities (PEM) of client certificates, read again when it changes; AUTH_MAPPING_FILE says what their holders may do",
  ),
  authClientCertificates: Type.Union(
    (["optional", "required"] as const).map((mode) => Type.Literal(mode)),
    {
      env: "AUTH_CLIENT_CERTIFICATES",
      default: "optional",
      description:
        "required: a client without a certificate of AUTH_CLIENT_CA_FILE gets no connection, not even a probe",
    },
  ),
  authOpenPages: Type.Optional(
    Type.Array(Type.Union((["health", "metrics", "docs"] as const).map((page) => Type.Literal(page))), {
      env: "AUTH_OPEN_PAGES",
      form: "list",
      elements: "health, metrics, docs",
      minItems: 1,
      description:
        "Pages that need no key where keys are required: health (/health), metrics (/metrics), docs (/swagger)",
    }),
  ),
  auditRetentionDays: count({
    env: "AUDIT_RETENTION_DAYS",
    default: 90,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: "Age at which entries of the audit log are deleted; 0: never",
  }),
  authKeysMaxAgeMs: duration({
    env: "AUTH_KEYS_MAX_AGE",
    default: 3_600_000,
    minimum: 10_000,
    description:
      "How long stored keys are accepted while the database does not answer; then requests with them are refused",
  }),
};
