/**
 * A reader of pickles (protocols 2 to 5) that builds plain data and calls nothing.
 *
 * Numbers, strings, lists, tuples and dicts are built. A name of a class or function stays a name. A REDUCE, which in
 * Python calls a function, is answered from the short list of `globals.ts` or refused. An object of a foreign class
 * (NEWOBJ, BUILD), as checkpoints hold them beside their weights, is an {@linkcode Inert} of which only the name is
 * kept. What a file makes this reader keep is bounded by its size and by {@linkcode LIMITS}.
 *
 * @module
 */
import { brief } from "../safetensors_header.ts";
import { build, named, reduce, setOnce } from "./globals.ts";
import { latin1, PickleBytes, type PickleErrors } from "./pickle_bytes.ts";
import { Global, Inert, Tuple, type Value } from "./values.ts";
import type { Fail } from "./zip.ts";

/** What no checkpoint comes near. */
export const LIMITS = {
  /** Steps of a program. */
  steps: 4_000_000,
  /** Lists, tuples, dicts and other objects. */
  objects: 500_000,
  /** Of them within one another, while they are built. */
  depth: 1000,
  /** Bytes of a name of a class or function. */
  nameBytes: 1000,
};

/** What a pickle does not decide by itself. */
export interface PickleOptions extends PickleErrors {
  /** What a persistent ID stands for. */
  persistent: (id: Value) => Value;
}

/** A pickle that was read. */
export interface Unpickled {
  /** What it holds. */
  value: Value;
  /** Byte after its last one. */
  end: number;
}

/** Instructions that are known and refused: of protocols 0 and 1, or of no use to weights. */
const REFUSED: Record<string, string> = {
  i: "INST",
  o: "OBJ",
  P: "PERSID",
  I: "INT",
  L: "LONG",
  F: "FLOAT",
  S: "STRING",
  V: "UNICODE",
  p: "PUT",
  g: "GET",
  l: "LIST",
  d: "DICT",
  "\x82": "EXT1",
  "\x83": "EXT2",
  "\x84": "EXT4",
  "\x97": "NEXT_BUFFER",
  "\x98": "READONLY_BUFFER",
};

/** Reads the pickle that begins at a byte. */
export function unpickle(
  bytes: Uint8Array,
  options: PickleOptions,
  at = 0,
): Unpickled {
  return new Machine(new PickleBytes(bytes, options, at), options).run();
}

class Machine {
  readonly #memo = new Map<number, Value>();
  readonly #marks: Value[][] = [];
  #stack: Value[] = [];
  #objects = 0;

  constructor(
    private readonly bytes: PickleBytes,
    private readonly options: PickleOptions,
  ) {}

  run(): Unpickled {
    for (let steps = 0; steps < LIMITS.steps; steps++) {
      const op = String.fromCharCode(this.bytes.byte());
      if (op === ".") return { value: this.#pop(), end: this.bytes.at };
      this.#step(op);
    }
    return this.#fail(`it takes more than ${LIMITS.steps} steps`);
  }

  #step(op: string): void {
    switch (op) {
      case "\x80": {
        const protocol = this.bytes.byte();
        if (protocol < 2 || protocol > 5) this.#fail(`its protocol ${protocol} is none of 2 to 5`);
        return;
      }
      case "\x95": // a frame, whose length says nothing about what is in it
        return void this.bytes.take(8);
      case "(":
        if (this.#marks.length >= LIMITS.depth) this.#fail("it is nested too deeply");
        this.#marks.push(this.#stack);
        this.#stack = [];
        return;
      case "0":
        return void (this.#stack.length ? this.#pop() : this.#popMark());
      case "1":
        return void this.#popMark();
      case "2":
        return this.#push(this.#top());
      case "N":
        return this.#push(null);
      case "\x88":
        return this.#push(true);
      case "\x89":
        return this.#push(false);
      case "J":
        return this.#push(this.bytes.int32());
      case "K":
        return this.#push(this.bytes.byte());
      case "M":
        return this.#push(this.bytes.length(2));
      case "\x8a":
        return this.#push(this.#long(this.bytes.length(1)));
      case "\x8b":
        return this.#push(this.#long(this.bytes.length(4)));
      case "G":
        return this.#push(this.bytes.float64());
      case "X":
        return this.#push(this.bytes.text(4));
      case "\x8c":
        return this.#push(this.bytes.text(1));
      case "\x8d":
        return this.#push(this.bytes.text(8));
      case "T":
        return this.#push(this.bytes.text(4, latin1));
      case "U":
        return this.#push(this.bytes.text(1, latin1));
      case "B":
        return this.#skip(4);
      case "C":
        return this.#skip(1);
      case "\x8e":
      case "\x96":
        return this.#skip(8);
      case "]":
        return this.#push(this.#made([]));
      case "}":
        return this.#push(this.#made(new Map()));
      case "\x8f":
        return this.#push(this.#made(new Inert("set")));
      case ")":
        return this.#push(this.#made(new Tuple([])));
      case "t":
        return this.#push(this.#made(new Tuple(this.#popMark())));
      case "\x85":
      case "\x86":
      case "\x87":
        return this.#push(this.#made(new Tuple(this.#popped(op.charCodeAt(0) - 0x84))));
      case "\x91":
        this.#popMark();
        return this.#push(this.#made(new Inert("frozenset")));
      case "a":
        return this.#append(this.#popped(1));
      case "e":
        return this.#append(this.#popMark());
      case "s":
        return this.#set(this.#popped(2));
      case "u":
        return this.#set(this.#popMark());
      case "\x90":
        this.#popMark();
        if (!(this.#top() instanceof Inert)) this.#fail("it adds items to what is no set");
        return;
      case "c":
        return this.#push(this.#made(this.#named(this.#line(), this.#line())));
      case "\x93":
        return this.#push(this.#made(this.#named(...this.#popped(2) as [Value, Value])));
      case "R": {
        const [callee, args] = this.#popped(2);
        if (!(callee instanceof Global)) this.#fail("it calls what is no function");
        if (!(args instanceof Tuple)) {
          this.#fail(`it calls ${brief(callee.name)} without arguments`);
        }
        return this.#push(this.#made(reduce(callee.name, args.items, this.#fail)));
      }
      case "\x81":
        return this.#new(this.#popped(2)[0]);
      case "\x92":
        return this.#new(this.#popped(3)[0]);
      case "b": {
        const [state] = this.#popped(1);
        return build(this.#top(), state, this.#fail);
      }
      case "Q":
        return this.#push(this.#made(this.options.persistent(this.#pop())));
      case "q":
        return void this.#memo.set(this.bytes.length(1), this.#top());
      case "r":
        return void this.#memo.set(this.bytes.length(4), this.#top());
      case "\x94":
        return void this.#memo.set(this.#memo.size, this.#top());
      case "h":
        return this.#push(this.#remembered(this.bytes.length(1)));
      case "j":
        return this.#push(this.#remembered(this.bytes.length(4)));
    }
    const name = REFUSED[op] ?? `0x${op.charCodeAt(0).toString(16)}`;
    this.#fail(`it holds the instruction ${name}, which torch.save does not write`);
  }

  readonly #fail: Fail = (message) => this.options.fail(message);

  #long(size: number): Value {
    return this.bytes.long(size) ?? this.#made(new Inert("int"));
  }

  #skip(size: 1 | 4 | 8): void {
    this.bytes.take(this.bytes.length(size));
    this.#push(this.#made(new Inert("bytes")));
  }

  #line(): string {
    return this.bytes.line(LIMITS.nameBytes);
  }

  #named(module: Value, name: Value): Global {
    if (typeof module !== "string" || typeof name !== "string") {
      this.#fail("it names a class by what is no text");
    }
    if (module.length + name.length > LIMITS.nameBytes) {
      this.#fail("it holds a name without an end");
    }
    return named(module, name, this.#fail);
  }

  #made<T extends Value>(value: T): T {
    if (++this.#objects > LIMITS.objects) {
      this.#fail(`it holds more than ${LIMITS.objects} objects`);
    }
    return value;
  }

  #push(value: Value): void {
    this.#stack.push(value);
  }

  #top(): Value {
    return this.#stack.length ? this.#stack[this.#stack.length - 1] : this.#empty();
  }

  #pop(): Value {
    return this.#stack.length ? this.#stack.pop()! : this.#empty();
  }

  #popped(count: number): Value[] {
    if (this.#stack.length < count) this.#empty();
    return this.#stack.splice(this.#stack.length - count);
  }

  #popMark(): Value[] {
    const items = this.#stack;
    this.#stack = this.#marks.pop() ?? this.#empty();
    return items;
  }

  #empty(): never {
    return this.#fail("it takes more values than it made");
  }

  #remembered(index: number): Value {
    const value = this.#memo.get(index);
    return value === undefined ? this.#fail(`it remembers nothing as ${index}`) : value;
  }

  #append(items: Value[]): void {
    const list = this.#top();
    if (Array.isArray(list)) { for (const item of items) list.push(item); }
    else if (!(list instanceof Inert)) this.#fail("it appends to what is no list");
  }

  #set(items: Value[]): void {
    const dict = this.#top();
    if (items.length % 2) this.#fail("it sets a key without a value");
    if (dict instanceof Inert) return;
    if (!(dict instanceof Map)) this.#fail("it sets keys of what is no dict");
    for (let i = 0; i < items.length; i += 2) setOnce(dict, items[i], items[i + 1], this.#fail);
  }

  #new(cls: Value): void {
    if (!(cls instanceof Global)) this.#fail("it makes an object of what is no class");
    if (/^torch\.(\w+\.)*(\w*Tensor|Parameter)$/.test(cls.name)) {
      this.#fail(`it holds a tensor as an object of ${cls.name}, which is too old: save it again`);
    }
    this.#push(this.#made(new Inert(cls.name)));
  }
}
