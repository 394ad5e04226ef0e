import { reasonAgainstTrixie } from "./trixie.ts";

/** @param variable the variable that can name a server
 *  @throws Error that names the missing requirement, if no server can be started from the folder of Debian trixie */
export function refuseIfImpossible(server: string, variable: string): void {
  const reason = reasonAgainstTrixie();
  if (reason === undefined) return;
  throw new Error(
    `No ${server}: set ${variable}, or start Docker or Podman with compose, or run as root on Debian (not possible here: ${reason})`,
  );
}
