// What for: what hosts and clients share: events, frames, rosters, time. Must never: allocate in a call that belongs to a
// frame, or throw there for anything but use after Dispose. Called by: the application's frame loop.
using System;
using System.Runtime.InteropServices;
using System.Text;
using Theta.Interop;

namespace Theta
{
    /// <summary>One session. Unless a member says "any thread", a session is used by one thread at a time; a second thread
    /// gets <see cref="ThetaStatus.Concurrent"/>. <see cref="Dispose"/> may be called from any thread.</summary>
    public abstract class ThetaSession : IDisposable
    {
        private const int EventBatch = 64;

        private readonly SessionHandle _handle;
        private readonly ThetaEvent[] _events = new ThetaEvent[EventBatch];
        private int _next;
        private int _count;

        internal ThetaSession(SessionHandle handle)
        {
            _handle = handle;
        }

        internal theta_session Native
        {
            get
            {
                if (_handle.IsDisposed)
                {
                    throw new ObjectDisposedException(GetType().Name);
                }
                return new theta_session { bits = _handle.Bits };
            }
        }

        /// <summary>True after <see cref="Dispose"/>.</summary>
        public bool IsDisposed
        {
            get { return _handle.IsDisposed; }
        }

        /// <summary>Status of the last native poll; an error here means that no more events will come.</summary>
        public ThetaStatus LastPollStatus { get; private set; }

        /// <summary>The next event, or false. Events are fetched in batches into a buffer of this object, so here a second
        /// thread is not told apart: one thread polls.</summary>
        public bool TryPoll(out ThetaEvent item)
        {
            theta_session session = Native;
            if (_next == _count && !Fill(session))
            {
                item = default(ThetaEvent);
                return false;
            }
            item = _events[_next++];
            return true;
        }

        /// <summary>Copies the text of an event, valid until TryPoll is called again. Truncated when the buffer is short;
        /// <paramref name="length"/> is then the needed length.</summary>
        public unsafe ThetaStatus Text(ref ThetaEvent item, Span<byte> destination, out int length)
        {
            ulong needed = 0;
            ThetaStatus status;
            theta_session session = Native;
            if (item.TextId == 0 || item.TextLength == 0)
            {
                length = 0;
                return ThetaStatus.Ok;
            }
            fixed (byte* p = &MemoryMarshal.GetReference(destination))
            {
                status = (ThetaStatus)NativeMethods.theta_session_text(
                    session, item.TextId, p, (ulong)destination.Length, &needed);
            }
            length = (int)needed;
            return status;
        }

        /// <summary>The text of an event as a string. Allocates; the form with a buffer does not.</summary>
        public string Text(ThetaEvent item)
        {
            byte[] buffer = new byte[Math.Max((int)item.TextLength, 1)];
            int length;
            ThetaStatus status = Text(ref item, buffer, out length);
            return status.IsError() ? string.Empty : Encoding.UTF8.GetString(buffer, 0, Math.Min(length, buffer.Length));
        }

        /// <summary>The session at a glance. Any thread.</summary>
        public unsafe ThetaStatus GetInfo(out SessionInfo info)
        {
            SessionInfo filled = default(SessionInfo);
            filled.StructSize = (uint)sizeof(SessionInfo);
            int status = NativeMethods.theta_session_info_get(Native, (theta_session_info*)&filled);
            info = filled;
            return (ThetaStatus)status;
        }

        /// <summary>The state alone; Closed when the session cannot answer. Any thread.</summary>
        public SessionState State
        {
            get
            {
                SessionInfo info;
                return GetInfo(out info).IsError() ? SessionState.Closed : info.State;
            }
        }

        /// <summary>Lists the peers. Truncated when the buffer is short; <paramref name="count"/> is then how many there are.
        /// Any thread.</summary>
        public unsafe ThetaStatus GetPeers(Span<PeerInfo> destination, out int count)
        {
            uint written = 0;
            theta_session session = Native;
            int status;
            fixed (PeerInfo* p = &MemoryMarshal.GetReference(destination))
            {
                status = NativeMethods.theta_session_peers(
                    session, (theta_peer_info*)p, (uint)sizeof(PeerInfo), (uint)destination.Length, &written);
            }
            count = (int)written;
            return (ThetaStatus)status;
        }

        /// <summary>Counters of the link to a peer, up to a tenth of a second old; 0 on a client means its host. Any
        /// thread.</summary>
        public unsafe ThetaStatus GetStatistics(uint peer, out ThetaStatistics statistics)
        {
            ThetaStatistics filled = default(ThetaStatistics);
            filled.StructSize = (uint)sizeof(ThetaStatistics);
            int status = NativeMethods.theta_session_statistics(Native, peer, (theta_statistics*)&filled);
            statistics = filled;
            return (ThetaStatus)status;
        }

        /// <summary>Takes the newest complete tick. At most three frames are held at once. Release it with Dispose.</summary>
        public ThetaStatus AcquireNewest(out Frame frame)
        {
            return Acquire(NativeMethods.THETA_FRAME_NEWEST, out frame);
        }

        /// <summary>Takes the complete tick after the last one taken, in order; NothingNew when there is none.</summary>
        public ThetaStatus AcquireNext(out Frame frame)
        {
            return Acquire(NativeMethods.THETA_FRAME_NEXT, out frame);
        }

        /// <summary>How many ticks to run now, at most <paramref name="cap"/>; they count as taken. Serves any display rate.</summary>
        public unsafe ThetaStatus TicksDue(ulong nowNs, int cap, out int due)
        {
            uint ticks = 0;
            int status = NativeMethods.theta_session_ticks_due(Native, nowNs, (uint)Math.Max(cap, 0), &ticks);
            due = (int)ticks;
            return (ThetaStatus)status;
        }

        /// <summary>Attaches the application's own number to an entity; it comes back in every row and is never sent.</summary>
        public ThetaStatus SetHostTag(EntityId entity, ulong hostTag)
        {
            return (ThetaStatus)NativeMethods.theta_entity_set_host_tag(Native, entity.Bits, hostTag);
        }

        /// <summary>Says goodbye; on a host this ends the session for everybody. Events still arrive until the state is
        /// Closed.</summary>
        public ThetaStatus Leave()
        {
            return (ThetaStatus)NativeMethods.theta_session_leave(Native);
        }

        /// <summary>Gives the session back; it leaves gracefully in the background. Frames that are held stay
        /// readable until they are released. Any thread, never blocks.</summary>
        public void Dispose()
        {
            _handle.Dispose();
        }

        private unsafe ThetaStatus Acquire(uint which, out Frame frame)
        {
            theta_frame bits = default(theta_frame);
            int status = NativeMethods.theta_frame_acquire(Native, which, &bits);
            frame = new Frame(bits.bits);
            return (ThetaStatus)status;
        }

        private unsafe bool Fill(theta_session session)
        {
            uint count = 0;
            fixed (ThetaEvent* p = _events)
            {
                LastPollStatus = (ThetaStatus)NativeMethods.theta_session_poll(
                    session, (theta_event*)p, (uint)sizeof(ThetaEvent), EventBatch, &count);
            }
            _next = 0;
            _count = (int)Math.Min(count, (uint)EventBatch);
            return _count > 0;
        }
    }
}
