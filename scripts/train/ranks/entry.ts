/**
 * A run's beginning and end on every rank.
 *
 * @module
 */
import { say } from "../../common/terminal.ts";
import { HatchlingError } from "../../../lib/errors.ts";
import { Ended, messageOf, RankError, Team } from "./team.ts";

/**
 * Does the work of this rank. With several of them an error of any is said, with its rank, and ends all of them.
 *
 * @param lead What rank 0 does, and a process by itself.
 * @param follow What the others do, until they are told the end.
 * @returns The exit status, the same on all ranks.
 */
export async function withTeam(
  lead: (team: Team) => Promise<number>,
  follow: (team: Team) => Promise<never>,
): Promise<number> {
  const team = await Team.open();
  if (team.size === 1) {
    const status = await lead(team);
    await team.end(status);
    return status;
  }
  try {
    const status = await (team.rank === 0 ? lead(team) : untilEnded(follow(team)));
    await team.end(status);
    return status;
  } catch (error) {
    say(`error: ${errorText(team, error)}`);
    return await team.comm.abort(1);
  }
}

async function untilEnded(following: Promise<never>): Promise<number> {
  try {
    return await following;
  } catch (error) {
    if (error instanceof Ended) return error.status;
    throw error;
  }
}

function errorText(team: Team, error: unknown): string {
  if (error instanceof RankError) return error.message;
  if (error instanceof HatchlingError) return team.said(messageOf(error));
  return team.said(error instanceof Error ? error.stack ?? error.message : String(error));
}
