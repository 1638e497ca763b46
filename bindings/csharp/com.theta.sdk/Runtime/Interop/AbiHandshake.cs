// What for: the first native call of a process compares the ABI of the loaded library with the one these imports were
// generated from. Must never: let a later call run into a library of another ABI. Called by: ThetaRuntime.
using System;

namespace Theta.Interop
{
    /// <summary>Compares the loaded library with this package and explains a mismatch in one sentence.</summary>
    internal static class AbiHandshake
    {
        private static bool _passed;

        /// <summary>Returns null when the library fits, else a sentence that says what to do. A pass is remembered.</summary>
        internal static string Check()
        {
            if (_passed)
            {
                return null;
            }
            uint loaded;
            try
            {
                loaded = NativeMethods.theta_abi_version();
            }
            catch (DllNotFoundException e)
            {
                return "The native library theta_sdk was not found for this platform. Check that Runtime/Plugins holds the "
                    + "binary of this platform and that its import settings include it. Loader: " + e.Message;
            }
            catch (EntryPointNotFoundException)
            {
                return "A library named theta_sdk is loaded but does not export theta_abi_version. It is not Theta's, or it "
                    + "is older than the first release: restart the Editor after replacing it.";
            }
            catch (BadImageFormatException)
            {
                return "The library theta_sdk was built for another processor than this process runs on.";
            }
            string sentence = Describe(loaded, NativeMethods.THETA_ABI_VERSION);
            _passed = sentence == null;
            return sentence;
        }

        /// <summary>The sentence for a library of ABI <paramref name="loaded"/> under a package of ABI
        /// <paramref name="expected"/>; null when they are equal.</summary>
        internal static string Describe(uint loaded, uint expected)
        {
            if (loaded == expected)
            {
                return null;
            }
            return "The loaded theta_sdk library speaks ABI " + loaded + ", this package speaks ABI " + expected
                + ". A native library stays loaded until its process exits: restart the Editor (or the player) so that "
                + "both come from the same release.";
        }
    }
}
