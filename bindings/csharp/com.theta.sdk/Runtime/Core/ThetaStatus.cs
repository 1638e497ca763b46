// What for: the result codes of the ABI as C# sees them, and the exception setup calls throw.
// Must never: be thrown on the frame path; calls there return the status. Called by: everybody.
using System;
using Theta.Interop;

namespace Theta
{
    /// <summary>Result of a native call: 0 success, positive informative, negative an error. Numbers are never reused, and a
    /// newer library may return one that is not listed here.</summary>
    public enum ThetaStatus
    {
        /// <summary>Done.</summary>
        Ok = 0,
        /// <summary>No event, no new frame, no new input.</summary>
        NothingNew = 1,
        /// <summary>There was more than the buffer takes; the needed count was written.</summary>
        Truncated = 2,
        /// <summary>Values were clamped to their range or were NaN and ignored; the report counts them.</summary>
        SomeClamped = 3,
        /// <summary>Some entities of the batch are not here.</summary>
        SomeMissing = 4,
        /// <summary>A required pointer was null.</summary>
        Null = -101,
        /// <summary>A struct has a size the library does not know.</summary>
        StructSize = -102,
        /// <summary>A field newer than the library was set.</summary>
        UnsupportedField = -103,
        /// <summary>Text is not UTF-8.</summary>
        Utf8 = -104,
        /// <summary>An argument is outside its range.</summary>
        Range = -105,
        /// <summary>A scalar argument is NaN.</summary>
        NotANumber = -106,
        /// <summary>Library and package have different ABI versions.</summary>
        AbiMismatch = -107,
        /// <summary>The handle is zero.</summary>
        HandleZero = -201,
        /// <summary>The object behind the handle is gone.</summary>
        HandleStale = -202,
        /// <summary>The handle is of another kind.</summary>
        HandleKind = -203,
        /// <summary>The handle belongs to another runtime.</summary>
        HandleForeign = -204,
        /// <summary>The runtime was shut down.</summary>
        ShutDown = -301,
        /// <summary>Two threads were inside a session-serial call at once.</summary>
        Concurrent = -302,
        /// <summary>A limit is reached, such as three frames held at once.</summary>
        Limit = -303,
        /// <summary>The session is not in a state that allows the call.</summary>
        State = -304,
        /// <summary>A host-only call on a joined session, or the reverse.</summary>
        WrongRole = -305,
        /// <summary>A codec's Encode or Decode called the library.</summary>
        Reentrant = -306,
        /// <summary>Two components have the same id.</summary>
        ComponentCollision = -401,
        /// <summary>A component description is not valid.</summary>
        ComponentInvalid = -402,
        /// <summary>The component is not registered.</summary>
        ComponentUnknown = -403,
        /// <summary>The component has no such field.</summary>
        FieldUnknown = -404,
        /// <summary>The registry is in use by a session and takes no more components.</summary>
        RegistrySealed = -405,
        /// <summary>The ticket is not valid.</summary>
        Ticket = -501,
        /// <summary>The session is not connected.</summary>
        Disconnected = -502,
        /// <summary>There is no such peer.</summary>
        PeerUnknown = -503,
        /// <summary>There is no such entity.</summary>
        EntityUnknown = -601,
        /// <summary>There is nothing to sample yet.</summary>
        NotSampled = -602,
        /// <summary>The address could not be parsed or bound.</summary>
        Address = -701,
        /// <summary>The operating system refused.</summary>
        Io = -702,
        /// <summary>The library caught a panic of its own; the session is faulted.</summary>
        Panic = -901,
        /// <summary>A fault inside the library.</summary>
        Internal = -902,
    }

    /// <summary>What to ask a status.</summary>
    public static class ThetaStatusExtensions
    {
        /// <summary>True for negative codes.</summary>
        public static bool IsError(this ThetaStatus status)
        {
            return (int)status < 0;
        }

        /// <summary>The library's short text for the code. Allocates: for logs, not for every frame.</summary>
        public static unsafe string Text(this ThetaStatus status)
        {
            return Utf8.Static(NativeMethods.theta_status_text((int)status));
        }
    }

    /// <summary>A setup call failed. The message is the library's sentence and says what to do. Calls that belong to a frame
    /// never throw this; they return a <see cref="ThetaStatus"/>.</summary>
    public sealed class ThetaException : Exception
    {
        /// <summary>Makes one; the SDK does this for you.</summary>
        public ThetaException(ThetaStatus status, string function, string message)
            : base(message)
        {
            Status = status;
            Function = function;
        }

        /// <summary>The code behind the message.</summary>
        public ThetaStatus Status { get; private set; }

        /// <summary>The native function that failed, or the managed check that did.</summary>
        public string Function { get; private set; }

        /// <summary>Throws for a negative status, with the sentence of theta_last_error.</summary>
        internal static ThetaStatus Check(int status)
        {
            if (status < 0)
            {
                throw LastError((ThetaStatus)status);
            }
            return (ThetaStatus)status;
        }

        private static unsafe ThetaException LastError(ThetaStatus status)
        {
            theta_error_info info = default(theta_error_info);
            info.struct_size = (uint)sizeof(theta_error_info);
            NativeMethods.theta_last_error(&info);
            if (info.code != (int)status || info.message_length == 0)
            {
                return new ThetaException(status, string.Empty, status.Text());
            }
            string function = Utf8.Text(info.function, (int)Math.Min(info.function_length, 64u));
            string message = Utf8.Text(info.message, (int)Math.Min(info.message_length, 512u));
            return new ThetaException(status, function, message);
        }
    }
}
