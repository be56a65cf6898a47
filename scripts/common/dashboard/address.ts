/**
 * Where a dashboard listens.
 *
 * @module
 */
import { isIP } from "node:net";
import { HatchlingError } from "../../../lib/errors.ts";

/** The only address that no other machine can reach. */
export const LOOPBACK = "127.0.0.1";

/** The first port that is tried where none was given, and how many are tried from there on. */
const FIRST_PORT = 8642, PORTS = 20;

/** Where to listen. */
export interface Address {
  /** IP address of this machine. */
  host: string;
  /** The port that was given, if one was. */
  port?: number;
}

/**
 * Reads what the command line says.
 *
 * @param port True where none was given.
 * @throws {HatchlingError} When it is no port or no address.
 */
export function addressOf(port: string | true | undefined, host: string = LOOPBACK): Address {
  if (!isIP(host)) {
    throw new HatchlingError(
      `Expected an IP address of this machine to listen at but found ${JSON.stringify(host)}: ` +
        `leave it out for ${LOOPBACK}, or take 0.0.0.0 for all of them`,
    );
  }
  if (port === undefined || port === true) return { host };
  const number = Number(port);
  if (!/^\d+$/.test(port) || number < 1 || number > 65535) {
    throw new HatchlingError(
      `Expected a port from 1 to 65535 but found ${JSON.stringify(port)}: ` +
        "leave it out for a free one, and put the configuration before the option",
    );
  }
  return { host, port: number };
}

/** The ports to try, in order. */
export function portsOf({ port }: Address): number[] {
  return port ? [port] : Array.from({ length: PORTS }, (_, i) => FIRST_PORT + i);
}

/** Whether no other machine can reach it. */
export function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

/** Host and port as a URL has them, and as `--allow-net` takes them. */
export function hostAndPort(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
