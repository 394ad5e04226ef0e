import { hostname } from "node:os";
import type { Config } from "./parse-config.ts";
import { HostNames } from "../kit/host-names.ts";
import { readHostPort } from "../kit/host-port.ts";

type AddressSettings = Pick<
  Config,
  "host" | "serviceAddress" | "externalServiceAddress" | "podIp" | "authPublicUrl" | "allowedHosts"
>;

/** The names under which a process with these settings answers: where it listens, where others are told to reach it, where
 *  browsers do, its machine's name, and ALLOWED_HOSTS. */
export function hostNamesOf(settings: AddressSettings): HostNames {
  const { host, serviceAddress, externalServiceAddress, podIp, authPublicUrl, allowedHosts = [] } = settings;
  const advertised = [serviceAddress, externalServiceAddress, podIp, authPublicUrl].flatMap((text) => {
    const read = text === undefined ? undefined : readHostPort(text);
    return read === undefined ? [] : [read.host];
  });
  return new HostNames({ listensOn: host, own: [hostname(), ...advertised], allowed: allowedHosts });
}
