import { isLoopback } from "../kit/ip-address.ts";
import type { Static, TObject } from "@sinclair/typebox";
import type { accessSettings } from "./settings/access-settings.ts";
import type { peopleSettings } from "./settings/people-settings.ts";

type PeopleConfig = Static<TObject<typeof peopleSettings & typeof accessSettings>> & {
  readonly host: string;
  readonly tlsCertFile?: string;
};

/** The errors of the settings of people that are valid by themselves but contradict each other. */
export function peopleContradictions(config: PeopleConfig): string[] {
  const { authOidcIssuer: issuer } = config;
  return [
    ...certificateContradictions(config),
    ...mappingContradictions(config),
    ...(issuer === undefined ? withoutIssuer(config) : [...missing(config), ...unsafe(config, issuer)]),
  ];
}

function certificateContradictions(config: PeopleConfig): string[] {
  const { authClientCaFile: caFile, authClientCertificates: mode, authMappingFile, auth, tlsCertFile } = config;
  if (caFile === undefined) {
    return mode === "required"
      ? ["AUTH_CLIENT_CERTIFICATES=required needs AUTH_CLIENT_CA_FILE, to know which ones"]
      : [];
  }
  const errors: string[] = [];
  if (tlsCertFile === undefined) {
    errors.push("AUTH_CLIENT_CA_FILE needs TLS_CERT_FILE: clients show certificates only with TLS");
  }
  if (authMappingFile === undefined && mode !== "required") {
    errors.push("AUTH_CLIENT_CA_FILE needs AUTH_MAPPING_FILE: without it, client certificates allow nothing");
  }
  if (auth === "off" && mode !== "required") {
    errors.push("AUTH=off and AUTH_CLIENT_CA_FILE contradict each other: with AUTH=off, everyone may do everything");
  }
  return errors;
}

function mappingContradictions({ authMappingFile, authOidcIssuer, authClientCaFile }: PeopleConfig): string[] {
  if (authMappingFile === undefined || (authOidcIssuer ?? authClientCaFile) !== undefined) return [];
  return ["AUTH_MAPPING_FILE needs AUTH_OIDC_ISSUER or AUTH_CLIENT_CA_FILE: without either, it grants nothing"];
}

function withoutIssuer(config: PeopleConfig): string[] {
  const given = {
    AUTH_OIDC_CLIENT_ID: config.authOidcClientId,
    AUTH_OIDC_CLIENT_SECRET: config.authOidcClientSecret,
    AUTH_OIDC_AUDIENCE: config.authOidcAudience,
    AUTH_OIDC_JWKS_FILE: config.authOidcJwksFile,
    AUTH_OIDC_CA_FILE: config.authOidcCaFile,
  };
  const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return names.length === 0 ? [] : [`${names.join(", ")}: without AUTH_OIDC_ISSUER, there is no provider`];
}

function missing(config: PeopleConfig): string[] {
  const { authOidcClientId: clientId, authOidcAudience: audience, authOidcScopes: scopes } = config;
  const errors: string[] = [];
  if ((clientId ?? audience) === undefined) {
    errors.push(
      "AUTH_OIDC_ISSUER needs AUTH_OIDC_CLIENT_ID, so that people can sign in, or AUTH_OIDC_AUDIENCE, for tokens",
    );
  }
  if (config.authMappingFile === undefined) {
    errors.push("AUTH_OIDC_ISSUER needs AUTH_MAPPING_FILE: without it, people may do nothing");
  }
  if (clientId === undefined && config.authOidcClientSecret !== undefined) {
    errors.push("AUTH_OIDC_CLIENT_SECRET needs AUTH_OIDC_CLIENT_ID: it is that client's secret");
  }
  if (!scopes.includes("openid")) {
    errors.push(`AUTH_OIDC_SCOPES=${scopes.join(",")} lacks openid: the provider would not say who signs in`);
  }
  if (clientId !== undefined && config.authPublicUrl === undefined && !isThisMachine(config.host)) {
    errors.push(
      "AUTH_OIDC_CLIENT_ID needs AUTH_PUBLIC_URL, such as https://gpus.example.org, beyond loopback: the provider leads browsers back to it",
    );
  }
  return errors;
}

function unsafe({ auth }: PeopleConfig, issuer: string): string[] {
  const errors: string[] = [];
  if (auth === "off") {
    errors.push("AUTH=off and AUTH_OIDC_ISSUER contradict each other: with AUTH=off, everyone may do everything");
  }
  if (issuer.startsWith("http://") && !isThisMachine(new URL(issuer).hostname)) {
    errors.push(`AUTH_OIDC_ISSUER=${issuer} is not https: an attacker on the way to it could sign in as anyone`);
  }
  return errors;
}

function isThisMachine(host: string): boolean {
  return host === "localhost" || isLoopback(host.replace(/^\[|\]$/g, ""));
}
