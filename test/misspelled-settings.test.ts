import { expect, test } from "bun:test";
import { misspelledSettings } from "../src/config/misspelled-settings.ts";

test("a misspelled setting, which would have no effect, is told without its value", () => {
  expect(misspelledSettings({ AUTH_KEY_FILE: "keys.json", SIM_HOST: "4", AUTH_TOKEN: "secret" })).toEqual([
    "AUTH_KEY_FILE is no setting, and has no effect: AUTH_KEYS_FILE seems to be meant",
    "SIM_HOST is no setting, and has no effect: SIM_HOSTS seems to be meant",
    "AUTH_TOKEN is no setting, and has no effect: 'bun run config' shows all",
  ]);
});

test("a setting with exchanged letters, other underscores or an s too many is told, short ones too", () => {
  const meant = { PROT: "PORT", CSV_FIEL: "CSV_FILE", CSVFILE: "CSV_FILE", BATCHSIZE: "BATCH_SIZE", ROLES: "ROLE" };
  const env = Object.fromEntries(Object.keys(meant).map((name) => [name, "1"]));
  expect(misspelledSettings(env)).toEqual(
    Object.entries(meant).map(
      ([given, name]) => `${given} is no setting, and has no effect: ${name} seems to be meant`,
    ),
  );
});

test("settings, files of secrets, empty variables and those of other programs are no misspelled settings", () => {
  const own = { AUTH: "required", AUTH_BOOTSTRAP_KEY_FILE: "key", TLS_CERT_FILE: "tls.crt", TLS_CERT: "" };
  const others = {
    HOSTNAME: "a",
    PATH: "/bin",
    ETCD_DATA_DIR: "/etcd",
    TELEMETRY_KEY_FILE: "key",
    GATEWAY_PORT: "80",
    HOME: "/",
  };
  expect(misspelledSettings({ ...own, ...others })).toEqual([]);
});
