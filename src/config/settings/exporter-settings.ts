import { Type } from "@sinclair/typebox";
import { count, duration, path } from "../config-setting.ts";

/** The settings of exporters that are scraped. */
export const exporterSettings = {
  dcgmTargets: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      env: "DCGM_TARGETS",
      form: "list",
      elements: "host:port or URLs",
      minItems: 1,
      description: "Exporters to scrape; the port is 9400 and the path /metrics unless the target says otherwise",
    }),
  ),
  dcgmTargetsFile: path(
    "DCGM_TARGETS_FILE",
    "File of exporters to scrape, read again when it changes: a target per line, or Prometheus' file_sd (JSON, YAML)",
  ),
  dcgmTargetsSrv: Type.Optional(
    Type.Array(Type.String({ pattern: "^(https?://)?[A-Za-z0-9._-]+(/\\S*)?$" }), {
      env: "DCGM_TARGETS_SRV",
      form: "list",
      elements: "names such as _dcgm._tcp.example",
      minItems: 1,
      description: "DNS SRV records of exporters to scrape, resolved again every 30 s",
    }),
  ),
  dcgmIntervalMs: duration({
    env: "DCGM_INTERVAL",
    default: 15_000,
    minimum: 1000,
    maximum: 3_600_000,
    description: "Time between two scrapes of an exporter",
  }),
  dcgmTimeoutMs: Type.Optional(
    Type.Integer({
      env: "DCGM_TIMEOUT",
      form: "duration",
      minimum: 100,
      maximum: 3_600_000,
      description: "Time that a scrape may take, below DCGM_INTERVAL; absent: two thirds of it, at most 10 s",
    }),
  ),
  dcgmMaxAnswerMebibytes: count({
    env: "DCGM_MAX_ANSWER_MIB",
    default: 16,
    minimum: 1,
    maximum: 1024,
    unit: "MiB",
    description: "Maximum size of an exporter's answer, also after decompression",
  }),
  scrapeBufferMebibytes: count({
    env: "SCRAPE_BUFFER_MIB",
    default: 64,
    minimum: 1,
    maximum: 16_384,
    unit: "MiB",
    description: "Memory of a streamer for scrapes that wait while etcd or the queue takes none; later ones are missed",
  }),
  dcgmCaFile: path("DCGM_CA_FILE", "CA certificate (PEM) of the exporters, for https; default: the system's CAs"),
  dcgmCertFile: path("DCGM_CERT_FILE", "Client certificate (PEM) for the exporters"),
  dcgmKeyFile: path("DCGM_KEY_FILE", "Private key (PEM) of that certificate"),
  dcgmTlsInsecure: Type.Boolean({
    env: "DCGM_TLS_INSECURE",
    default: false,
    description: "Accept any certificate of an exporter: anyone in between can then change what is read",
  }),
  dcgmUsername: Type.Optional(
    Type.String({
      env: "DCGM_USERNAME",
      minLength: 1,
      description: "User name for the exporters (basic authentication)",
    }),
  ),
  dcgmPassword: Type.Optional(
    Type.String({ env: "DCGM_PASSWORD", minLength: 1, secret: true, description: "Password for the exporters" }),
  ),
  dcgmBearerToken: Type.Optional(
    Type.String({
      env: "DCGM_BEARER_TOKEN",
      minLength: 1,
      pattern: "^[\\x21-\\x7e]+$",
      expects: "ASCII characters without spaces and line breaks",
      secret: true,
      description: "Bearer token for the exporters",
    }),
  ),
  dcgmPasswordFile: path("DCGM_PASSWORD_FILE", "File with that password, read again when it changes"),
  dcgmBearerTokenFile: path("DCGM_BEARER_TOKEN_FILE", "File with that token, read again when it changes"),
};
