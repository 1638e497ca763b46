// Put this beside whatever opens your client and give it the client: a headset that is taken off, or an app that goes to the
// background, keeps its place in the session.
//
// Not verified in Unity itself: compiled and run against stand-ins of the engine's API only (see docs/guides/unity.md).
using UnityEngine;

namespace Theta.Samples
{
    /// <summary>Tells a session what the system tells the application.</summary>
    public sealed class ThetaPresence : MonoBehaviour
    {
        private bool _hasFocus = true;

        /// <summary>The session; may be replaced when it has ended and was joined anew.</summary>
        public ThetaClient Client { get; set; }

        /// <summary>False while a system menu lies over the application: it is seen and goes on, but hands and buttons are not
        /// its own, so send no input.</summary>
        public bool HasFocus
        {
            get { return _hasFocus; }
        }

        // Unity calls this before the application stands still (the headset is off, another app is in front) and when it goes
        // on, and on some platforms once at the start. Suspending twice, or resuming without having been away, does nothing.
        private void OnApplicationPause(bool isPaused)
        {
            if (Client == null || Client.IsDisposed)
            {
                return;
            }
            if (isPaused)
            {
                // Returns at once; the library's own thread tells the host before the system stops the process. Should it
                // be faster, the host notices the silence within 5 s, and keeps the place all the same.
                Client.Suspend();
            }
            else
            {
                // Later than the grace window (SessionInfo.ResumeGraceMs) a Disconnected event comes: join anew.
                Client.Resume();
            }
        }

        private void OnApplicationFocus(bool hasFocus)
        {
            _hasFocus = hasFocus;
        }
    }
}
