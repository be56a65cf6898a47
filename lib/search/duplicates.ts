/**
 * Groups of pictures that are the same, or nearly so.
 *
 * @module
 */
import { ColorTable, PLAIN_CONTRAST } from "./colors.ts";
import { alike, alikeAligned, toneOf, WHOLE, type Window } from "./compare.ts";
import { HashTable } from "./hash.ts";
import type { SignedPicture } from "./sign.ts";
import { CHROMA, LUMA, SIGNATURE_BYTES } from "./signature.ts";

/** Similarity from which pictures are taken for copies. */
export const THRESHOLD = 0.8;

/** So alike that no alignment is needed. */
const PROMISING = 0.97;

/** Candidates of a picture, at most. */
const MOST = 256;

/** A picture of a group. */
export interface Member {
  picture: SignedPicture;
  /** To the first of the group, up to 1. */
  similarity: number;
  /** Why it is there. */
  how: "kept" | "same file" | "near" | "mirrored";
}

/** What {@linkcode findGroups} takes. */
export interface GroupOptions {
  /** Similarity from which pictures are taken for copies, in (0, 1]. */
  threshold: number;
  /** Whether mirror images count. */
  mirrored: boolean;
  /** More pairs to look at, by index: those that a model finds similar. */
  pairs?: Iterable<readonly [number, number]>;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Groups pictures. The first of a group is the one with the most pixels, then bytes; all others were compared
 * with it, so that a chain of small changes makes no group.
 *
 * @returns Groups of at least two, those with the most bytes to gain first.
 */
export async function findGroups(
  pictures: readonly SignedPicture[],
  { threshold, mirrored, pairs = [], onProgress }: GroupOptions,
): Promise<Member[][]> {
  const order = [...pictures].sort(better);
  const copies = new Map<string, SignedPicture[]>();
  for (const picture of order) {
    const same = copies.get(picture.sha256);
    if (same) same.push(picture);
    else copies.set(picture.sha256, [picture]);
  }
  const distinct = [...copies.values()].map(([first]) => first);
  const place = new Map(distinct.map(({ sha256 }, i) => [sha256, i]));
  const links: Map<number, Link>[] = distinct.map(() => new Map());
  const link = (a: number, b: number, part: Window, mirror: boolean) => {
    if (a === b || links[a].has(b)) return;
    const left = mirror ? mirrorOf(distinct[a].signature) : distinct[a].signature;
    const similarity = similarityOf(left, distinct[b].signature, part);
    if (similarity < threshold) return;
    links[a].set(b, { similarity, mirror });
    links[b].set(a, { similarity, mirror });
  };
  const signatures = distinct.map(({ signature }) => signature);
  const table = new HashTable(signatures), colors = new ColorTable(signatures, threshold);
  for (const [i, signature] of signatures.entries()) {
    const near = [...table.near(i, signature, MOST), ...colors.near(i, MOST)];
    for (const { index, part } of near) link(i, index, part, false);
    if (mirrored) {
      const near = [...table.near(i, mirrorOf(signature), MOST), ...colors.near(i, MOST)];
      for (const { index, part } of near) link(i, index, part, true);
    }
    if (i % 64 === 0) {
      onProgress?.(i, distinct.length);
      await new Promise((resolve) => setTimeout(resolve)); // signals come through
    }
  }
  for (const [a, b] of pairs) {
    link(place.get(pictures[a].sha256)!, place.get(pictures[b].sha256)!, WHOLE, false);
  }

  const taken = new Uint8Array(distinct.length);
  const groups: Member[][] = [];
  distinct.forEach((first, i) => {
    if (taken[i]) return;
    taken[i] = 1;
    const group: Member[] = [];
    const add = (p: SignedPicture, { similarity, mirror }: Link) => {
      for (const [k, picture] of copies.get(p.sha256)!.entries()) {
        const how = mirror ? "mirrored" : p !== first ? "near" : k > 0 ? "same file" : "kept";
        group.push({ picture, similarity, how });
      }
    };
    add(first, { similarity: 1, mirror: false });
    const others = [...links[i]].filter(([j]) => !taken[j]);
    others.sort(([a, x], [b, y]) => y.similarity - x.similarity || a - b);
    for (const [j, found] of others) {
      taken[j] = 1;
      add(distinct[j], found);
    }
    if (group.length > 1) groups.push(group);
  });
  const gain = (group: Member[]) => group.slice(1).reduce((sum, m) => sum + m.picture.bytes, 0);
  return groups.map((group) => ({ group, gain: gain(group) }))
    .sort((a, b) => b.gain - a.gain || (a.group[0].picture.id < b.group[0].picture.id ? -1 : 1))
    .map(({ group }) => group);
}

interface Link {
  similarity: number;
  mirror: boolean;
}

/** The better one to keep first. */
function better(a: SignedPicture, b: SignedPicture): number {
  return b.width * b.height - a.width * a.height || b.bytes - a.bytes || (a.id < b.id ? -1 : 1);
}

/** How alike two pictures are, as they are or one as a part of the other. */
export function similarityOf(a: Uint8Array, b: Uint8Array, part: Window): number {
  const plain = Math.max(toneOf(a).contrast, toneOf(b).contrast) < PLAIN_CONTRAST;
  if (plain && a.every((level, i) => level === b[i])) return 1; // there may be thousands
  const whole = alike(a, b, WHOLE);
  return plain || whole >= PROMISING ? whole : Math.max(whole, alikeAligned(a, b, part));
}

/** Signature of the mirror image. */
export function mirrorOf(signature: Uint8Array): Uint8Array {
  const out = new Uint8Array(SIGNATURE_BYTES);
  let start = 0;
  for (const side of [LUMA, CHROMA, CHROMA]) {
    for (let i = 0; i < side * side; i++) {
      out[start + i] = signature[start + i - i % side + side - 1 - i % side];
    }
    start += side * side;
  }
  return out;
}
