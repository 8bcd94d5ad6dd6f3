/* The entries of the shared table (PROTOCOL.md, section 2) for the Spin model checker: claiming, finding and clearing an entry (here: a line),
 * publishing there, and checking that it is still valid (it stands). Any number of crashes and of leases that run out. The kernel may lose any byte
 * at any moment, and its owner does not know: so nothing is asserted that depends on the bytes.
 *
 *   spin -a lines.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m3000000
 *
 * Asserted: no two valid holders of one lock with different entries; nobody frees the entry of a valid holder. A holder counts while its expiry is
 * there: a process that takes a lost byte may publish over it. Then records keep that process out, and the holder sees it at its keeper's next tick.
 *
 * The window has two slots, one of which is at first that of lock 3, which nobody uses any more. Both processes use lock 1, and the second lock 2 as
 * well, so they need each other's room; of three the first two use lock 1, and the third lock 2. One word stands for both
 * expiries of an entry. That an entry has one holder is checked by seats.pml.
 *
 *   NP=n         processes, 2 or 3
 *   CR=n         no more than n crashes
 * Each of these breaks one rule, and must make it fail (ModelTest runs them):
 *   NOSECONDLOOK   no look for another entry after claiming one
 *   SKIPOCCUPIED   a slot that was taken meanwhile is skipped, though it may be for the same lock; and no second look
 *   ANYEXPIRY       an entry is cleared whatever its expiry says
 *   NOLOOKAGAIN    no look at the expiry once the slot says that it is being cleared
 *   NOVALIDITY       no check that the entry is valid after publishing
 *   NOMARK         a slot that is being cleared does not count as an entry of its lock
 *   NOHEAL         of two entries the first is used, whatever the other's expiry says
 */
#ifndef NP
#define NP 2
#endif
#define NS 2
#if NP>2
#define THIRD(x) x
#define LAST 2
#else
#define THIRD(x) skip
#define LAST 1
#endif
#define ME (me+1)
#define GHOST (NP+1)       /* an expiry whose writer is dead */

byte H[NS];                /* slot: 0 free, 1 to 3 a lock, 4 and more: a lock's, being cleared by a process */
byte W[NS]; bool F[NS];    /* its expiry: its writer, and whether it is in the future */
byte B[4];                 /* the bytes of each lock, as one: its owner */
bool held[NP]; bool on[NP]; bool expd[NP];
byte at[NP], lock[NP];     /* where it holds what */
byte saw[NP];              /* the expiry read before it requested the byte: 1 + slot if that has not changed since */

#define MARK(n) (4 + ((n)-1)*NP + me)
#ifdef NOMARK
#define ISOF(n, i) (H[i]==(n))
#else
#define ISOF(n, i) (H[i]==(n) || (H[i]>=4 && (H[i]-4)/NP==(n)-1))
#endif
#define PAST(i) (W[i]==0 || !F[i])
#define VALID(p) (held[p] && !expd[p] && W[at[p]]==(p)+1)

inline touched(i) {
  if :: saw[0]==1+i -> saw[0]=0 :: else fi; if :: saw[1]==1+i -> saw[1]=0 :: else fi
#if NP>2
  ; if :: saw[2]==1+i -> saw[2]=0 :: else fi
#endif
}
inline put(i) { W[i]=ME; F[i]=true; touched(i) }
inline die() {
  held[me]=false; on[me]=false; expd[me]=false; saw[me]=0; at[me]=0; lock[me]=0;
  if :: B[1]==ME -> B[1]=0 :: else fi; if :: B[2]==ME -> B[2]=0 :: else fi; if :: B[3]==ME -> B[3]=0 :: else fi;
  if :: W[0]==ME -> W[0]=GHOST :: else fi; if :: W[1]==ME -> W[1]=GHOST :: else fi;
  known=0; knownOf=0; n=0; l=0; m=0; f=0; then=0
}
#ifdef CR
byte crashes;
#define DIE :: atomic { crashes<CR -> crashes++; die(); goto idle }
#else
#define DIE :: atomic { die(); goto idle }
#endif

active proctype clock() {
  do
  :: atomic { on[0]&&!expd[0] -> expd[0]=true; if ::W[0]==1->F[0]=false::else fi; if ::W[1]==1->F[1]=false::else fi }
  :: atomic { on[1]&&!expd[1] -> expd[1]=true; if ::W[0]==2->F[0]=false::else fi; if ::W[1]==2->F[1]=false::else fi }
#if NP>2
  :: atomic { on[2]&&!expd[2] -> expd[2]=true; if ::W[0]==3->F[0]=false::else fi; if ::W[1]==3->F[1]=false::else fi }
#endif
  :: atomic { F[0] && (W[0]==GHOST || W[0]!=0 && expd[W[0]-1]) -> F[0]=false }
  :: atomic { F[1] && (W[1]==GHOST || W[1]!=0 && expd[W[1]-1]) -> F[1]=false }
  /* the kernel drops a byte */
  :: atomic { B[1]!=0 -> B[1]=0 }
  :: atomic { B[2]!=0 -> B[2]=0 }
  :: atomic { B[3]!=0 -> B[3]=0 }
  od
}

inline holds(p) { assert(!(p!=me && VALID(me) && VALID(p) && lock[p]==lock[me] && at[p]!=at[me])) }
inline enter() { at[me]=l; lock[me]=n; held[me]=true; holds(0); holds(1); THIRD(holds(2)) }
inline frees(p, i, x) { assert(!(VALID(p) && lock[p]==x && at[p]==i)) }

/* what a process does when an entry was cleared, or was not: */
#define RETRY 0            /* looks for an entry of its lock once more */
#define GAVEUP 1           /* it was our own that we gave up */
#define ROOM 2             /* it was another lock's, whose bytes we have taken */
#define HEALED 3           /* it was a second entry of ours */

proctype P(byte me) {
  byte n, l, m, f, then, known, knownOf;
idle:
  if                                             /* the expiry, before the byte is requested */
  :: atomic { NP==2 || me<LAST -> n=1 }
  :: atomic { me==LAST -> n=2 }
  fi;
  if
  :: atomic { known!=0 && knownOf==n -> saw[me]=known }
  :: atomic { H[0]==n -> saw[me]=1 }
  :: atomic { H[1]==n -> saw[me]=2 }
  :: atomic { saw[me]=0 }
  fi;
  if
  :: atomic { B[n]==0 -> B[n]=ME }
  :: atomic { B[n]!=0 -> saw[me]=0; goto idle }
  fi;
  if
  :: atomic { known!=0 && knownOf==n && ISOF(n,known-1) -> l=known-1; H[l]=n; goto publish }
  :: atomic { !(known!=0 && knownOf==n && ISOF(n,known-1)) -> known=0; knownOf=0 }
  DIE
  fi;
find:
  f=0;
  if :: atomic { if :: ISOF(n,0) -> f=f|1 :: else fi } DIE fi;
  if :: atomic { if :: ISOF(n,1) -> f=f|2 :: else fi } DIE fi;
  if
  :: atomic { f==0 -> goto claim }
  :: atomic { f==1 -> l=0; goto only }
  :: atomic { f==2 -> l=1; goto only }
#ifdef NOHEAL
  :: atomic { f==3 -> l=0; goto only }
#else
  :: atomic { f==3 }
  DIE
  fi;
  if                                             /* two entries: that which is in use is kept, or the first */
  :: atomic { !PAST(0) || PAST(1) -> l=1; m=n; then=HEALED; goto clear }
  :: atomic { PAST(0) && !PAST(1) -> l=0; m=n; then=HEALED; goto clear }
#endif
  DIE
  fi;
only:
  if
  :: atomic { ISOF(n,l) -> H[l]=n; goto know }   /* valid, or taken back from the clearing process */
  :: atomic { !ISOF(n,l) -> goto find }
  DIE
  fi;
claim:
#ifdef SKIPOCCUPIED
#define TAKEN(i) false
#else
#define TAKEN(i) ISOF(n,i)
#endif
  if
  :: atomic { H[0]==0 -> H[0]=n; l=0; goto look }
  :: atomic { TAKEN(0) -> l=0; goto look }
  :: atomic { H[0]!=0 && !TAKEN(0) }
  DIE
  fi;
  if
  :: atomic { H[1]==0 -> H[1]=n; l=1; goto look }
  :: atomic { TAKEN(1) -> l=1; goto look }
  :: atomic { H[1]!=0 && !TAKEN(1) }
  DIE
  fi;
  if                                             /* room is needed: with the bytes of another lock */
  :: atomic { H[0]!=0 && H[0]<4 && H[0]!=n && B[H[0]]==0 -> l=0; m=H[0]; B[m]=ME; then=ROOM; goto clear }
  :: atomic { H[1]!=0 && H[1]<4 && H[1]!=n && B[H[1]]==0 -> l=1; m=H[1]; B[m]=ME; then=ROOM; goto clear }
  :: atomic { goto free }
  DIE
  fi;
look:
#if !defined(NOSECONDLOOK) && !defined(SKIPOCCUPIED)
  if :: atomic { ISOF(n,1-l) -> m=n; then=GAVEUP; goto clear } :: atomic { !ISOF(n,1-l) } DIE fi;
  if :: atomic { ISOF(n,l) -> H[l]=n } :: atomic { !ISOF(n,l) -> goto find } DIE fi;
#endif
know:
  known=1+l; knownOf=n;
publish:
  if
  :: atomic { saw[me]==1+l || W[l]==0 -> saw[me]=0; put(l); expd[me]=false; on[me]=true }
  :: atomic { !(saw[me]==1+l || W[l]==0) -> saw[me]=0; goto free }
  DIE
  fi;
stands:
  if
#ifdef NOVALIDITY
  :: true
#else
  :: atomic { ISOF(n,l) -> H[l]=n }
  :: atomic { !ISOF(n,l) -> held[me]=false; goto withdraw }
#endif
  DIE
  fi;
  if :: atomic { !expd[me] -> enter() } :: atomic { expd[me] -> held[me]=false; goto withdraw } DIE fi;
  if
  :: atomic { held[me]=false; goto withdraw }
  :: atomic { !expd[me] && W[l]==ME -> put(l); goto stands }          /* renewed */
  DIE
  fi;
withdraw:
  if :: atomic { if :: W[l]==ME -> W[l]=0; touched(l) :: else fi; on[me]=false; expd[me]=false; at[me]=0; lock[me]=0 } DIE fi;
free:
  if :: atomic { if :: B[n]==ME -> B[n]=0 :: else fi; saw[me]=0; n=0; l=0; m=0; f=0; then=0; goto idle } DIE fi;

clear:                                           /* the entry of lock m at slot l */
  if
#ifdef ANYEXPIRY
  :: atomic { ISOF(m,l) -> H[l]=MARK(m) }
#else
  :: atomic { ISOF(m,l) && PAST(l) }
  :: atomic { ISOF(m,l) && !PAST(l) -> goto kept }
#endif
  :: atomic { !ISOF(m,l) -> goto cleared }
  DIE
  fi;
#ifndef ANYEXPIRY
  if :: atomic { ISOF(m,l) -> H[l]=MARK(m) } :: atomic { !ISOF(m,l) -> goto kept } DIE fi;
#ifndef NOLOOKAGAIN
  if
  :: atomic { PAST(l) -> if :: W[l]!=0 -> W[l]=0; touched(l) :: else fi }
  :: atomic { !PAST(l) -> if :: H[l]==MARK(m) -> H[l]=m :: else fi; goto kept }
  DIE
  fi;
#endif
#endif
  if
  :: atomic { H[l]==MARK(m) -> H[l]=0; frees(0,l,m); frees(1,l,m); THIRD(frees(2,l,m)); goto cleared }
  :: atomic { H[l]!=MARK(m) -> goto kept }
  DIE
  fi;
cleared:
  if
  :: atomic { then==ROOM -> if :: B[m]==ME -> B[m]=0 :: else fi; m=0; then=0; goto find }
  :: atomic { then!=ROOM -> m=0; then=0; goto find }
  DIE
  fi;
kept:
  if
  :: atomic { then==ROOM -> if :: B[m]==ME -> B[m]=0 :: else fi; m=0; then=0; goto free }
  :: atomic { then==GAVEUP -> m=0; then=0; goto find }
  :: atomic { then==HEALED -> m=0; then=0; goto free }       /* both are in use: busy */
  DIE
  fi
}
init { atomic { H[0]=3; run P(0); run P(1); THIRD(run P(2)) } }
