/**
 * OpenMPI's library: where it is looked for, what is called, and why another one will not do.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import { shown } from "../text.ts";
import { keepLibrary } from "./keep.ts";

// Handles of OpenMPI are addresses of variables of the library, which "pointer" statics of Deno are (their value is
// not read). MPICH's are numbers, so a program made for one cannot call the other.
const SYMBOLS = {
  ompi_mpi_comm_world: { type: "pointer" },
  ompi_mpi_errors_return: { type: "pointer" },
  ompi_mpi_float: { type: "pointer" },
  ompi_mpi_byte: { type: "pointer" },
  ompi_mpi_op_sum: { type: "pointer" },
  MPI_Get_library_version: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Error_string: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  MPI_Initialized: { parameters: ["buffer"], result: "i32" },
  // These wait for other processes, in a thread of their own: there are no forms of them that can be polled.
  MPI_Init_thread: {
    parameters: ["pointer", "pointer", "i32", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  MPI_Finalize: { parameters: [], result: "i32", nonblocking: true },
  MPI_Abort: { parameters: ["pointer", "i32"], result: "i32", nonblocking: true },
  MPI_Comm_set_errhandler: { parameters: ["pointer", "pointer"], result: "i32" },
  MPI_Comm_rank: { parameters: ["pointer", "buffer"], result: "i32" },
  MPI_Comm_size: { parameters: ["pointer", "buffer"], result: "i32" },
  MPI_Iallreduce: {
    parameters: ["pointer", "pointer", "i32", "pointer", "pointer", "pointer", "buffer"],
    result: "i32",
  },
  MPI_Ibcast: {
    parameters: ["pointer", "i32", "pointer", "i32", "pointer", "buffer"],
    result: "i32",
  },
  MPI_Iallgather: {
    parameters: ["pointer", "i32", "pointer", "pointer", "i32", "pointer", "pointer", "buffer"],
    result: "i32",
  },
  MPI_Ialltoall: {
    parameters: ["pointer", "i32", "pointer", "pointer", "i32", "pointer", "pointer", "buffer"],
    result: "i32",
  },
  MPI_Igatherv: {
    parameters: [
      ...["pointer", "i32", "pointer", "pointer", "pointer", "pointer"] as const,
      ...["pointer", "i32", "pointer", "buffer"] as const,
    ],
    result: "i32",
  },
  MPI_Ibarrier: { parameters: ["pointer", "buffer"], result: "i32" },
  MPI_Get_processor_name: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Isend: {
    parameters: ["pointer", "i32", "pointer", "i32", "i32", "pointer", "buffer"],
    result: "i32",
  },
  MPI_Irecv: {
    parameters: ["pointer", "i32", "pointer", "i32", "i32", "pointer", "buffer"],
    result: "i32",
  },
  MPI_Test: { parameters: ["buffer", "buffer", "pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions and handles of OpenMPI. */
export type Mpi = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** File names of OpenMPI, 4 and 5 alike, and of libraries with MPICH's interface, by their custom and Debian's. */
interface Names {
  readonly open: string;
  readonly mpich: readonly string[];
}

const NAMES: Partial<Record<typeof Deno.build.os, Names>> = {
  linux: { open: "libmpi.so.40", mpich: ["libmpi.so.12", "libmpich.so.12"] },
  darwin: { open: "libmpi.40.dylib", mpich: ["libmpi.12.dylib"] },
};

const INSTALL = "install OpenMPI 4.1 or 5 (on Debian and Ubuntu: apt-get install openmpi-bin)";

/**
 * Why OpenMPI could not be loaded.
 *
 * @param name the file that was asked for.
 * @param message what the system said of it.
 * @param mpich the file with MPICH's interface that is there instead, if one is.
 */
export function libraryRefusal(name: string, message: string, mpich?: string): HatchlingError {
  const found = mpich
    ? `but found ${mpich}, which has the interface of MPICH (Intel MPI, MVAPICH and Cray MPICH have it too)`
    : `but it cannot be loaded: ${shown(message)}`;
  return new HatchlingError(
    `MPI: expected OpenMPI's library ${name} ${found}: ${INSTALL}, start with the mpirun that belongs to it, and ` +
      "name its folder in LD_LIBRARY_PATH where it is not one of the system's",
  );
}

/**
 * "Open MPI v4.1.4" out of what the library says of itself.
 *
 * @throws {HatchlingError} when it is another library, or OpenMPI before 4.
 */
export function checkVersion(text: string): string {
  const [version, major] = text.match(/^Open MPI v(\d+)[.\w]*/) ?? [];
  if (Number(major) >= 4) return version!;
  throw new HatchlingError(
    `MPI: expected a library that calls itself Open MPI v4 or later but found "${
      shown(text.split("\n")[0].slice(0, 80))
    }": ${INSTALL}, and start with the mpirun that belongs to it`,
  );
}

/**
 * Loads OpenMPI.
 *
 * @throws {HatchlingError} when it is not there or not allowed, or what is there is not OpenMPI.
 */
export function loadMpi(
  os: typeof Deno.build.os = Deno.build.os,
  names: Names | undefined = NAMES[os],
): { mpi: Mpi; implementation: string } {
  if (!names) {
    throw new HatchlingError(
      `MPI: expected Linux or macOS, where there is OpenMPI, but found ${os}: start one process, without mpirun`,
    );
  }
  const mpi = tryOpen(names);
  const text = new Uint8Array(256), length = new Int32Array(1);
  mpi.MPI_Get_library_version(text, length);
  return {
    mpi,
    implementation: checkVersion(new TextDecoder().decode(text.subarray(0, length[0]))),
  };
}

function tryOpen({ open: name, mpich }: Names): Mpi {
  try {
    keepLibrary(name);
    return Deno.dlopen(name, SYMBOLS).symbols; // says why, if there is none
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new HatchlingError(
        "MPI: expected the permission to load OpenMPI but found none: start Deno with --allow-ffi",
      );
    }
    throw libraryRefusal(name, (error as Error).message, mpich.find(isThere));
  }
}

function isThere(name: string): boolean {
  try {
    Deno.dlopen(name, {}).close();
    return true;
  } catch {
    return false;
  }
}
