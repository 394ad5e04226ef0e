import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import { UnusableSource } from "../domain/errors.ts";
import type { Clock } from "../kit/clock.ts";
import { defined } from "../kit/defined.ts";
import { messageOf } from "../kit/message-of.ts";
import { PemFile } from "../kit/pem-file.ts";
import type { ScrapeSecurity } from "../pipeline/source/exporter/scrape-client.ts";
import { SecretFile } from "../pipeline/source/exporter/secret-file.ts";

/** How scrapes authenticate themselves, as the settings say. */
interface ConfiguredSecurity {
  readonly security: ScrapeSecurity;
  /** Why a file with a secret cannot be read now; undefined if it can. */
  readonly error: () => string | undefined;
}

const tokenSetting = "DCGM_BEARER_TOKEN_FILE";

/** @throws UnusableSource if a certificate is not usable */
export function scrapeSecurityOf(
  config: Config,
  parts: { readonly clock: Clock; readonly log: Logger },
): ConfiguredSecurity {
  const { dcgmUsername: user, dcgmBearerToken, dcgmPassword, dcgmTlsInsecure: insecure } = config;
  const fileOf = (setting: string, path: string | undefined, first: string | undefined): SecretFile | undefined =>
    path === undefined || first === undefined
      ? undefined
      : new SecretFile({ ...parts, setting, path, first, isToken: setting === tokenSetting });
  const tokenFile = fileOf(tokenSetting, config.dcgmBearerTokenFile, dcgmBearerToken);
  const passwordFile = fileOf("DCGM_PASSWORD_FILE", config.dcgmPasswordFile, dcgmPassword);
  const authorization = async (): Promise<string | undefined> => {
    const token = (await tokenFile?.current()) ?? dcgmBearerToken;
    if (token !== undefined) return `Bearer ${token}`;
    if (user === undefined) return undefined;
    const password = (await passwordFile?.current()) ?? dcgmPassword ?? "";
    return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  };
  const ca = pemOf("DCGM_CA_FILE", config.dcgmCaFile);
  const cert = pemOf("DCGM_CERT_FILE", config.dcgmCertFile);
  const key = pemOf("DCGM_KEY_FILE", config.dcgmKeyFile);
  const tls: ScrapeSecurity["tls"] = () => defined({ ca: ca?.read(), cert: cert?.read(), key: key?.read() });
  const error = (): string | undefined => tokenFile?.error ?? passwordFile?.error;
  return { security: { tls, insecure, authorization }, error };
}

function pemOf(setting: string, path: string | undefined): PemFile | undefined {
  if (path === undefined) return undefined;
  try {
    return new PemFile(setting, path);
  } catch (cause) {
    throw new UnusableSource(messageOf(cause), { cause });
  }
}
