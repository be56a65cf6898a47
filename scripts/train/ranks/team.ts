/**
 * The ranks of a run: rank 0 leads, the others do what it tells them.
 *
 * @module
 */
import { aloneComm, type Comm, openComm } from "../../../lib/comm.ts";
import type { Config } from "../../../lib/config.ts";
import { DeviceError, HatchlingError } from "../../../lib/errors.ts";
import { ranksOf } from "../../../lib/from_config.ts";
import { shown } from "../../../lib/text.ts";
import type { Ranks } from "../../../lib/train.ts";
import { hostName } from "../libc.ts";
import { PATIENT, receive, send } from "./message.ts";

/** Something is wrong that names its rank already: it ends the run on all of them. */
export class RankError extends Error {}

/** Rank 0 has come to its end, and with it all do. */
export class Ended extends Error {
  /** Exit status of all. */
  readonly status: number;

  /** Takes the status. */
  constructor(status: number) {
    super("the run has ended");
    this.status = status;
  }
}

/** What a rank makes of a question. */
export type Answer<T> = { value?: T; error?: string };

/** The word of rank 0 that ends all. */
interface End {
  end: number;
}

/** The ranks of a run, as one of them sees them. One rank by itself is a team without others: it sends nothing. */
export class Team {
  /** What carries messages. */
  readonly comm: Comm;
  /** The machine of each rank as far as it is known: all on rank 0, their own on the others. */
  readonly hosts: readonly string[];

  private constructor(comm: Comm, hosts: readonly string[]) {
    this.comm = comm;
    this.hosts = hosts;
  }

  /**
   * The ranks that mpirun started, or this process alone.
   *
   * @param comm What carries messages, where that is known; for tests.
   * @param own Name of this machine; for tests.
   * @throws {HatchlingError} When mpirun is there but its library is not, or a rank does not come.
   */
  static async open(comm?: Comm, own: string = hostName()): Promise<Team> {
    comm ??= await openComm();
    if (comm.size === 1) return new Team(comm, [""]);
    const all = await comm.gather(new TextEncoder().encode(own), 0, PATIENT);
    const hosts = all.map((bytes) => new TextDecoder().decode(bytes));
    if (!hosts.length) hosts[comm.rank] = own;
    return new Team(comm, hosts);
  }

  /** A team of this process by itself. */
  static alone(): Team {
    return new Team(aloneComm(), [""]);
  }

  /** How many ranks there are. */
  get size(): number {
    return this.comm.size;
  }

  /** Which of them this is. */
  get rank(): number {
    return this.comm.rank;
  }

  /** What a trainer needs to add up gradients; undefined where there is one rank. */
  ranksFor(config: Config): Ranks | undefined {
    return this.size > 1 ? ranksOf(config, this.comm) : undefined;
  }

  /** "rank 2 on host"; with one rank nothing needs a name. */
  nameOf(rank: number = this.rank): string {
    return `rank ${rank} on ${shown(this.hosts[rank])}`;
  }

  /** Puts the name of a rank in front of what it says, where there are several. */
  said(text: string, rank: number = this.rank): string {
    return this.size > 1 ? `${this.nameOf(rank)}: ${text}` : text;
  }

  /** Of rank 0: tells all others. */
  async tell(value: object): Promise<void> {
    if (this.size > 1) await send(this.comm, value);
  }

  /**
   * Of the others: what rank 0 tells next.
   *
   * @throws {Ended} When it has come to its end.
   */
  async hear<T extends object>(): Promise<T> {
    const told = await receive<T | End>(this.comm);
    if ("end" in told) throw new Ended(told.end);
    return told;
  }

  /** Of the others: answers rank 0, with what it has found or why it could not. */
  async answer(answer: Answer<unknown>): Promise<void> {
    await this.comm.gather(new TextEncoder().encode(JSON.stringify(answer)), 0, PATIENT);
  }

  /**
   * Of rank 0: the answers of all, by rank.
   *
   * @param own Its own, which stays as it is.
   * @throws {RankError} When a rank could not; in its words.
   */
  async answers<T>(own: T): Promise<T[]> {
    if (this.size === 1) return [own];
    const all = await this.comm.gather(new Uint8Array(), 0, PATIENT);
    const values = [own];
    const errors: string[] = [];
    for (let rank = 1; rank < this.size; rank++) {
      const answer: Answer<T> = JSON.parse(new TextDecoder().decode(all[rank]));
      if (answer.error === undefined) values.push(answer.value as T);
      else errors.push(this.said(answer.error, rank));
    }
    if (errors.length) throw new RankError(errors.join("\n"));
    return values;
  }

  /** Ends all ranks together, with one status. */
  async end(status: number): Promise<void> {
    if (this.rank === 0) await this.tell({ end: status } satisfies End);
    await this.comm.close(PATIENT);
  }
}

/** Does what may be refused: its result, or why not. */
export async function attempt<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof HatchlingError) return { error: messageOf(error) };
    throw error;
  }
}

/** What an error says; of trouble with a device, from which a rank alone could go on, also what to do. */
export function messageOf(error: HatchlingError): string {
  return error instanceof DeviceError
    ? `${error.message}\nThe run ends, as the other ranks are in the midst of a step: go on with --resume`
    : error.message;
}
