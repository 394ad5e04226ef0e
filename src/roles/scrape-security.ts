import type { Logger } from "pino";
import type { Config } from "../config/parse-config.ts";
import { UnusableSource } from "../domain/errors.ts";
import type { Clock } from "../kit/clock.ts";
import { messageOf } from "../kit/message-of.ts";
import { type ClientPem, clientPemFiles } from "../kit/pem-file.ts";
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
  const tls = pemOf(config);
  const error = (): string | undefined => tokenFile?.error ?? passwordFile?.error;
  return { security: { tls, insecure, authorization }, error };
}

function pemOf({ dcgmCaFile, dcgmCertFile, dcgmKeyFile }: Config): () => ClientPem {
  try {
    return clientPemFiles({
      ca: ["DCGM_CA_FILE", dcgmCaFile],
      cert: ["DCGM_CERT_FILE", dcgmCertFile],
      key: ["DCGM_KEY_FILE", dcgmKeyFile],
    });
  } catch (cause) {
    throw new UnusableSource(messageOf(cause), { cause });
  }
}
